"""The tasks of a run, out of what the API tells of drivers, executors and groups."""
