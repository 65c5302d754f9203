"""Split lists: files that name the clips of train and test."""
