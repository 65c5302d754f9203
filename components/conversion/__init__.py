"""The conversion step."""
