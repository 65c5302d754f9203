"""Finds the clips of a source: their labels, groups and, in split folders, their splits."""
