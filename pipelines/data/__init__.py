"""The caches of frames and features: what is kept where, brought from place to place, cleared up."""
