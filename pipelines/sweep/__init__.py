"""Search over heads and hyperparameters, measured on clips that the search has never seen."""
