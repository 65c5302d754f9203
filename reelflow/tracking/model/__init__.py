"""The bundle as a model of MLflow: what is saved, how it predicts, and the figures that belong to it."""
