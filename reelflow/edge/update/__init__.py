"""Updates of a device: what a channel says, verified, and how a device takes it."""
