"""Parallel work on clips, on the cores of this machine."""
