"""Statistics of scores: what they mean, how sure they are, and which of two models is better."""
