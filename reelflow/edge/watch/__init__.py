"""Watches a camera for months: windows, the loop, the service manager."""
