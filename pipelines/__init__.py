"""The pipeline graphs and their drivers."""
