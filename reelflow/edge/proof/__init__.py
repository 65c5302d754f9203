"""That a bundle answers on one architecture as on another."""
