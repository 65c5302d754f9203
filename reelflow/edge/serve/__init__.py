"""A page, health, metrics and classification over HTTP, beside the watching: `reelflow[serve]`."""
