"""The files that steps exchange: clips, frames, features, predictions, evaluations, lineage."""
