"""Runs side by side: figures with their uncertainty, what differs between them, and whether it matters."""
