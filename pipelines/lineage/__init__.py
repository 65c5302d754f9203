"""From a bundle or a registered model back to the hash of every clip."""
