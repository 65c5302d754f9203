"""Devices that follow a channel: their reports, and actions on these reports."""
