"""The images: how they are built, and what must not be in them."""
