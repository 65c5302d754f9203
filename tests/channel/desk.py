"""The command line of a channel's publisher."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command import CommandGroup

ROLES = ("root", "targets", "snapshot", "timestamp")


class Desk(CommandGroup):
    """A publisher's command line, with its files in a folder."""

    group = "channel"

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.keys, self.root, self.channel = folder / "keys", folder / "root.json", folder / "channel"
        patch.setenv("REELFLOW_CHANNEL", str(self.channel))
        patch.setenv("REELFLOW_CHANNEL_ROOT", str(self.root))
        patch.setenv("COLUMNS", "200")

    def options(self, *roles: str) -> list[str]:
        return [f"--key={role}=file:{self.keys / role}.pem" for role in roles or ROLES]

    def publish(self, bundle: Path, *options: str) -> str:
        """Publish a bundle's folder."""
        return self.done("publish", "--bundle", bundle, *self.options(*ROLES[1:]), *options)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("status", "--json").output)
        return found
