"""Study B's networks against stock layers, a floor of convolutions, and the stock conversion."""
