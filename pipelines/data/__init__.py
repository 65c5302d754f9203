"""Cached frames and features: status, transfer between stores, garbage collection."""
