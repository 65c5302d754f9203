"""Tasks that prove a bundle on nodes of other architectures."""
