"""A bundle that is copied over the one in use is taken once it is whole, whatever comes first."""

import json
import shutil
from itertools import permutations
from pathlib import Path

import pytest

from reelflow.contracts import UNSURE
from reelflow.edge.bundle import HEAD, open_bundle
from reelflow.edge.classifier import Classifier
from reelflow.edge.seal import SUMS, seal
from reelflow.edge.watch import fresh_bundle
from reelflow.edge.watch.fresh_bundle import GONE_S, FreshBundle
from reelflow.errors import BundleError
from reelflow.files import files_below, sha256_file
from tests.bundles import FRAMES, renamed_bundle
from tests.faults.edge.commands import copied_over

FIRST = ("bundle.json", SUMS, HEAD)


@pytest.fixture
def current(edge_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(edge_bundle, tmp_path / "current"))


@pytest.fixture
def following(edge_bundle: Path, tmp_path: Path) -> Path:
    """Another bundle, whose head differs too: LiteRT ignores what follows the model."""
    folder = renamed_bundle(edge_bundle, tmp_path / "following", "second")
    head, manifest = folder / HEAD, folder / "bundle.json"
    head.write_bytes(head.read_bytes() + bytes(64))
    told = json.loads(manifest.read_text())
    told["files"][HEAD] = {"sha256": sha256_file(head), "size_bytes": head.stat().st_size}
    told["size_bytes"] += 64
    manifest.write_text(json.dumps(told))
    seal(folder)
    open_bundle(folder)
    return folder


def in_order(folder: Path, first: tuple[str, ...]) -> list[str]:
    names = [path.relative_to(folder).as_posix() for path in files_below(folder)]
    return [*first, *(name for name in names if name not in first)]


@pytest.mark.parametrize("first", list(permutations(FIRST)))
def test_a_copy_in_place_is_taken_once_it_is_whole(current: Path, following: Path, first: tuple[str, ...]):
    fresh = FreshBundle(current, 1)
    name = fresh.classifier.report.name
    for file in in_order(following, first):
        content = (following / file).read_bytes()
        for part in (content[: len(content) // 2], content):
            copied_over(current / file, part)
            taken = fresh.is_new()
            assert taken == all_alike(current, following), "a whole one, and no other, is taken"
            assert fresh.classifier.report.name == ("second" if taken else name)
            if taken:
                assert fresh.problem == ""
                return


def all_alike(one: Path, other: Path) -> bool:
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in in_order(other, ()))


def test_what_is_wrong_is_told_once_nothing_changes_any_more(current: Path, following: Path):
    fresh = FreshBundle(current, 1)
    shutil.copy(following / "bundle.json", current)
    assert not fresh.is_new()
    assert fresh.problem == "", "it may be on its way"
    assert not fresh.is_new()
    assert "bundle.json has been altered" in fresh.problem
    shutil.copytree(following, current, dirs_exist_ok=True)
    assert fresh.is_new()
    assert fresh.problem == ""


def test_a_copy_without_sums_waits_for_them(current: Path, following: Path):
    fresh = FreshBundle(current, 1)
    (current / SUMS).unlink()
    shutil.copytree(following, current, dirs_exist_ok=True, ignore=shutil.ignore_patterns(SUMS))
    assert not fresh.is_new()
    assert not fresh.is_new()
    assert f"has no {SUMS}" in fresh.problem
    shutil.copy(following / SUMS, current)
    assert fresh.is_new()


def test_the_bundle_in_use_is_not_taken_again(current: Path, edge_bundle: Path):
    fresh = FreshBundle(current, 1)
    classifier = fresh.classifier
    shutil.copytree(edge_bundle, current, dirs_exist_ok=True)
    (current / "notes.txt").write_text("of the installer")
    assert not fresh.is_new()
    assert fresh.classifier is classifier


def test_a_network_that_is_replaced_after_its_check_is_not_loaded(current: Path, following: Path):
    checked = open_bundle(current)
    copied_over(current / HEAD, (following / HEAD).read_bytes())
    with pytest.raises(BundleError, match="is being overwritten"):
        Classifier(checked)


def test_a_link_that_is_removed_says_that_no_bundle_is_to_be_used(
    current: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    now_s = [100.0]
    monkeypatch.setattr(fresh_bundle.time, "monotonic", lambda: now_s[0])
    link = tmp_path / "link"
    link.symlink_to(current)
    fresh = FreshBundle(link, 1)
    for _ in range(2):  # by hand, a link is away for a moment
        link.unlink()
        assert fresh.gone == ""
        now_s[0] += GONE_S - 1
        assert fresh.gone == ""
        link.symlink_to(current)
        assert fresh.gone == ""
    link.unlink()
    assert fresh.gone == ""
    for _ in range(3):
        assert not fresh.is_new()
        assert fresh.problem == "", "the agent would take it for a problem of the next bundle"
    now_s[0] += GONE_S
    assert "no bundle is to be used" in fresh.gone


def test_a_folder_that_is_away_is_being_copied(current: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fresh_bundle, "GONE_S", 0.0)
    fresh = FreshBundle(current, 1)
    shutil.rmtree(current)
    assert not fresh.is_new()
    assert fresh.gone == ""


UNFIT = [
    ("sampling", {"frames": FRAMES}, "name a window"),
    ("sampling", {"frames": FRAMES, "clip_s": 1e9}, "name a window"),
    ("labels", (UNSURE, "shrink", "spin"), UNSURE),
]


@pytest.mark.parametrize(("name", "value", "why"), UNFIT)
def test_a_bundle_that_no_camera_can_be_watched_with_is_left(
    current: Path, following: Path, name: str, value: object, why: str
):
    manifest = following / "bundle.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {name: value}))
    seal(following)
    open_bundle(following)
    fresh = FreshBundle(current, 1)
    shutil.copytree(following, current, dirs_exist_ok=True)
    assert not fresh.is_new()
    assert not fresh.is_new()
    assert why in fresh.problem
    assert fresh.classifier.report.name != "second"
    with pytest.raises(BundleError, match=why):  # a service that starts again may find another one
        FreshBundle(following, 1)


def test_a_window_that_is_named_needs_none_in_the_bundle(following: Path):
    manifest = following / "bundle.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"sampling": {"frames": FRAMES}}))
    seal(following)
    assert FreshBundle(following, 1, 2.0).classifier.report.name == "second"
