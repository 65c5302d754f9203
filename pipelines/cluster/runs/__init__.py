"""Runs on the server: one row a task, waiting, logs, and an early end."""
