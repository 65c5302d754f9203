"""The agent of a device: fetches, tests, switches, and goes back where a new bundle does not work."""
