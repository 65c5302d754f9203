"""Builds and scans the images."""
