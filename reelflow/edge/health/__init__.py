"""What watchers say of themselves, for whoever changes their bundle."""
