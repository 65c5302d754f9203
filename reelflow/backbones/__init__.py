"""Frozen CNNs that embed frames: one file each, loaded by name."""
