"""The gates between `challenger` and `champion`."""
