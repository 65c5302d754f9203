"""The journal of a registered model: entries that nobody can change, each with the hash of the one before."""
