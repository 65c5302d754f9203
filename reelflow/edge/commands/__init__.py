"""Subcommands of `reelflow`, a file each: they import little before they run."""
