"""Study B's networks: P3D and ConvLSTM-C2D residual networks, and the same without time."""
