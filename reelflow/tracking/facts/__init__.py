"""What MLflow shows beside params and metrics, in its own vocabulary: source, data sets, descriptions."""
