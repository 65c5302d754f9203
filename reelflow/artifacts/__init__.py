"""The files that steps hand on: clips, frames, features, predictions, evaluations, lineage."""
