"""Where things are kept, each behind a small interface."""
