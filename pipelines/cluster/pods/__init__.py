"""How the pods of a run are: those of tasks, and those that a training task starts itself."""
