"""The devices that follow a channel: what they tell, and what follows from it."""
