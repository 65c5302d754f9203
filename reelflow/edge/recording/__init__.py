"""Clips of a watched source: packets of the last seconds, written to files as they came."""
