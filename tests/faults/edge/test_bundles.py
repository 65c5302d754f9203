"""Damaged bundles, by every command that opens one; and one that is written over while it is in use."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reelflow.cli import app
from reelflow.edge.bundle import HEAD, open_bundle
from reelflow.edge.classifier import Classifier
from reelflow.edge.seal import seal
from reelflow.errors import BundleError
from tests.bundles import write_clip
from tests.faults.edge.commands import copied_over

COMMANDS = {
    "info": ("info",),
    "verify": ("verify",),
    "classify": ("classify", "CLIP"),
    "timeline": ("timeline", "CLIP"),
    "watch": ("watch", "CLIP"),
    "serve": ("serve", "CLIP", "--port", "0"),
}


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def newer(folder: Path) -> None:
    path = folder / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    seal(folder)


def link_out(folder: Path) -> None:
    (folder / HEAD).rename(folder.parent / "elsewhere")
    (folder / HEAD).symlink_to(folder.parent / "elsewhere")


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a flipped byte of the head": (lambda folder: flip(folder / HEAD), "has been altered"),
    "a flipped byte of the manifest": (lambda folder: flip(folder / "bundle.json"), "has been altered"),
    "a newer schema": (newer, "schema_version"),
    "a missing file": (lambda folder: (folder / HEAD).unlink(), "is missing"),
    "a link out of it": (link_out, "leads out of the bundle"),
    "no folder": (lambda folder: shutil.rmtree(folder), "is not a bundle"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_every_command_refuses_a_damaged_bundle(edge_bundle, tmp_path, command, damage):
    folder = shutil.copytree(edge_bundle, tmp_path / "bundle")
    spoil, told = DAMAGES[damage]
    spoil(folder)
    name, *rest = COMMANDS[command]
    clip = write_clip(tmp_path / "clip.mp4")
    done = CliRunner().invoke(
        app, [name, str(folder), *(str(clip) if one == "CLIP" else one for one in rest)]
    )
    assert isinstance(done.exception, BundleError), "which becomes exit code 5 and one line"
    assert told in str(done.exception)
    assert done.stdout == ""


@pytest.mark.parametrize("content", [b"", bytes(20_000)])
def test_a_network_that_is_written_over_while_it_is_used_answers_as_before(edge_bundle, tmp_path, content):
    folder = shutil.copytree(edge_bundle, tmp_path / "bundle")
    clip = write_clip(tmp_path / "clip.mp4")
    classifier = Classifier(open_bundle(folder))
    scores = classifier.classify(clip).scores
    copied_over(folder / HEAD, content)
    assert classifier.classify(clip).scores == scores
