"""Runs of MLflow: found or made, and what is logged to them."""
