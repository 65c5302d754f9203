"""What a device gets: units, an installer, an image."""
