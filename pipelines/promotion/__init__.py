"""Moves the champion by hand, and shows who moved it when and why."""
