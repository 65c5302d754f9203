"""A frozen CNN as a plug-in: one file each, one registry."""
