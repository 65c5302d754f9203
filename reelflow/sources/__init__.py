"""Sources of clips: a folder, DVC, git with DVC, or S3; fetched clips are cached."""
