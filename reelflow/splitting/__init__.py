"""Who is trained on and who is tested: splits by group, and the protocols that make folds."""
