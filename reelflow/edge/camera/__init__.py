"""Frames of a source that may hang, fall silent, come back changed: read by a process of its own."""
