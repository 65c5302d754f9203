"""How a device gets its bundles: the channel's client, and the agent that follows the channel."""
