"""The frames step."""
