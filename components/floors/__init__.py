"""The floors step."""
