"""Every chart of a run, drawn by matplotlib: as PNG files for MLflow, as inline SVG for the report."""
