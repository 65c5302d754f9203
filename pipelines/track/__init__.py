"""`python -m pipelines track`: what MLflow has got of runs."""
