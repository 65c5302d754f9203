"""The graphs and their drivers."""
