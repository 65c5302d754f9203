"""What reproduces a published study."""
