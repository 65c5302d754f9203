"""Objects by name in a directory or in S3: one interface, two implementations."""
