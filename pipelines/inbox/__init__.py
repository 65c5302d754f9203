"""Uncertain clips of devices: into a labelling sheet, and back into the clips."""
