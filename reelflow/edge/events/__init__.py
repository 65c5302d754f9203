"""What a watched camera shows, as events with a start and an end."""
