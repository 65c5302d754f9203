"""Decode, sample, preprocess: the same code trains and serves."""
