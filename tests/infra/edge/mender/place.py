"""A device with Mender's update module, and archives of bundles."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

from reelflow.edge.update.agent.state import STATE, AgentState
from tests.device_bundles import bundle_id, write_health
from tests.workplace import ROOT

MODULE = ROOT / "infra/edge/mender/reelflow-bundle"
DEFAULTS = "--device lab-1 --well-after 5s --give-up 1s"


def archive_of(bundle: Path, archive: Path) -> Path:
    """As the module's first lines say: `tar -C BUNDLE -cf FILE .`."""
    subprocess.run(["tar", "-C", bundle, "-cf", archive, "."], check=True)
    return archive


class MenderDevice:
    """The state of a device's agent, and the tree that Mender gives a module (its file API, protocol v3)."""

    def __init__(self, folder: Path, first: Path) -> None:
        self.state, self.health, self.tree = folder / "state", folder / "health", folder / "tree"
        for part in ("files", "tmp", "header"):
            (self.tree / part).mkdir(parents=True)
        (self.tree / "version").write_text("3")
        (self.tree / "current_artifact_name").write_text("first")
        program = folder / "reelflow"
        program.write_text(
            f"#!/bin/sh\nexec {sys.executable} -c 'from reelflow.cli import main; main()' \"$@\"\n"
        )
        program.chmod(0o755)
        self.settings = folder / "mender.env"
        self.settings.write_text(
            f'OPTIONS="{DEFAULTS} --state {self.state} --health {self.health}"\nWITHIN=1s\n'
        )
        self.environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "REELFLOW": str(program),
            "REELFLOW_MENDER_ENV": str(self.settings),
        }
        self.first = first

    def bring(self, bundle: Path) -> None:
        """What Mender has unpacked of an artifact."""
        archive_of(bundle, self.tree / "files" / "bundle.tar")

    def call(self, state: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(self.command(state), env=self.environment, capture_output=True, text=True)

    def command(self, state: str) -> list[str]:
        return [str(MODULE), state, str(self.tree)]

    def run_first(self) -> None:
        """Have the device run its first bundle."""
        self.bring(self.first)
        assert self.call("ArtifactInstall").returncode == 0
        self.answers(self.first)
        assert self.call("ArtifactCommit").returncode == 0

    def answers(self, bundle: Path) -> None:
        """A watcher has answered with a bundle for long enough."""
        write_health(self.health, bundle_id(bundle), answering_s=60)

    @property
    def agent(self) -> AgentState:
        return AgentState.read(self.state / STATE)

    @property
    def in_use(self) -> str:
        return (self.state / "current").readlink().name


def tar_with(archive: Path, **members: tarfile.TarInfo) -> None:
    """Add members to a tar file."""
    with tarfile.open(archive, "a:") as tar:
        for member in members.values():
            tar.addfile(member)
