"""What a step takes of the machine, in the figures of MLflow's system metrics."""
