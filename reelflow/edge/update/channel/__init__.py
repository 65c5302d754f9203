"""A channel as a device sees it: a TUF repository, every byte verified before it is used."""
