"""Study B, reproduced: its networks on both cuts of UCF101, beside its published table."""
