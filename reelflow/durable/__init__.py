"""What outlives a power cut: synced files and folders, and folders and links that are replaced at once."""
