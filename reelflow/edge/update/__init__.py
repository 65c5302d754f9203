"""How a device gets its bundles: what the channel says, and the agent that follows it."""
