"""The baselines step."""
