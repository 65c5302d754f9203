"""Recurring runs: the schedule file, and what the server needs to match it."""
