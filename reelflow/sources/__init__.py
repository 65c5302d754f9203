"""Where clips come from: a folder, DVC, git with DVC, or S3; fetched clips are cached."""
