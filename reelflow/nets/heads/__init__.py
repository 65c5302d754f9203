"""Heads: from a clip's features to class probabilities."""
