"""Splits by group, and the protocols that define folds."""
