"""Parallel work on clips, on the CPUs that this process may use."""
