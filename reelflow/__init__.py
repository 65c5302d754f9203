"""A folder of labelled video clips to a verified classifier on small devices."""

__version__ = "0.1.0"
