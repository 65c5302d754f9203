"""Search over heads and their values, measured on clips that no part of the search has seen."""
