"""`ls components` is the pipeline."""
