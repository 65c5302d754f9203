"""Work on many clips at once, on the cores of this machine."""
