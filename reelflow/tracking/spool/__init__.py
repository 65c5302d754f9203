"""What MLflow has not got yet of runs: kept on disk, and sent later."""
