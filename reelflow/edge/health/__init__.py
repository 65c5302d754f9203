"""The health of watchers, for the agent that changes their bundle."""
