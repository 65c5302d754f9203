"""MLflow: client, runs, registry, versions."""
