"""Trials of a search: what they choose from, what they have scored, and their runs in MLflow."""
