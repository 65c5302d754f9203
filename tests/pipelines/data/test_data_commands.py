"""`python -m pipelines data`, on what a small run left."""

import json
import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from components.features import step as features_step
from components.frames import step as frames_step
from pipelines.__main__ import app
from pipelines.data.catalog import read_catalog
from reelflow.backbones.thumbnail import Thumbnail
from reelflow.contracts import DatasetReport
from reelflow.objectstore.directory import DirectoryStore
from reelflow.params import load_params
from reelflow.settings import Settings
from reelflow.sources.cache import ClipCache, SourceNote
from reelflow.tracking.client import connect
from reelflow.tracking.registry import LINEAGE_TAG
from tests.environment import in_environment
from tests.workplace import Workplace

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
VERY_OLD = 1_000_000_000


@pytest.fixture
def store(small_run: tuple[Workplace, Path, str], tmp_path: Path) -> Path:
    """A copy of the store that the small run filled; the environment names it."""
    place, _, _ = small_run
    return Path(shutil.copytree(place.folder / "store", tmp_path / "store"))


@pytest.fixture
def no_outputs(tmp_path: Path) -> Path:
    """A folder without outputs of runs."""
    (tmp_path / "no outputs").mkdir()
    return tmp_path / "no outputs"


@pytest.fixture
def registry(
    small_run: tuple[Workplace, Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """A copy of the small run's registry, in which one version is registered; the environment names it."""
    place, _, _ = small_run
    with (
        closing(sqlite3.connect(place.folder / "mlflow.db")) as source,
        closing(sqlite3.connect(tmp_path / "mlflow.db")) as target,
    ):
        source.backup(target)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    return Settings()


def data(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["data", *map(str, arguments)], terminal_width=200)


def message(result: Result) -> str:
    assert result.exit_code != 0
    return f"{type(result.exception).__name__}: {result.exception}"


def status(small_run: tuple[Workplace, Path, str], *arguments: str) -> dict:
    place, out, _ = small_run
    found = data("status", "--params", place.params, "--out", out, "--json", *arguments)
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def age(store: Path) -> None:
    """Make everything in the store old; what it shares with the small run stays as it is."""
    for path in store.rglob("*"):
        os.utime(path, (VERY_OLD, VERY_OLD))


def whole(store: Path) -> tuple[int, int]:
    """Shards of frames and of features that are whole, in a store where nothing is torn."""
    catalog = read_catalog(DirectoryStore(store))
    assert all(map(catalog.is_whole, catalog.shards.values()))
    kinds = [shard.kind for shard in catalog.shards.values()]
    return kinds.count("frames"), kinds.count("features")


def test_status_counts_what_a_run_needs_here_and_in_the_store(small_run, store):
    found = status(small_run)
    frames, features = found["caches"]
    assert (frames["name"], features["name"]) == ("frames", "features@thumbnail")
    for cache in (frames, features):
        assert cache["wanted"] == cache["here"]["shards"] == cache["store"]["shards"] == 3
    tars = sum(path.stat().st_size for path in small_run[1].glob("work/frames-*/*.tar"))
    assert frames["here"]["size_bytes"] == tars < frames["store"]["size_bytes"]
    facts = len(list((store / "facts").glob("*.json")))
    assert (found["totals"]["shards"], found["totals"]["torn"]) == (6 + facts, 0)


def test_status_sees_what_is_missing_torn_or_nobodys(small_run, store):
    listings = sorted((store / "features").glob("*.json"))
    (store / "features" / "files" / json.loads(listings[0].read_text())["files"].popitem()[1]).unlink()
    listings[1].unlink()
    found = status(small_run)
    assert found["caches"][1]["store"]["shards"] == 1
    totals = found["totals"]
    facts = len(list((store / "facts").glob("*.json")))
    assert (totals["shards"], totals["torn"], totals["orphans"]["shards"]) == (4 + facts, 1, 2)


def test_status_in_words(small_run, store):
    place, out, _ = small_run
    lines = data("status", "--params", place.params, "--out", out).stdout.splitlines()
    assert lines[0].split("  ")[0] == "cache"
    assert lines[1].startswith("frames ")
    assert lines[1].count("3 of 3") == 2
    assert f"store  {store}" in lines


def test_status_before_the_dataset_step_and_without_a_store(small_run, tmp_path, monkeypatch):
    monkeypatch.setenv("REELFLOW_STORE", "none")
    found = data("status", "--params", small_run[0].params, "--out", tmp_path)
    assert "not known before the dataset step" in found.stdout
    assert "shards are not shared: REELFLOW_STORE is none" in found.stdout
    assert "REELFLOW_STORE is none" in message(data("push", "--remote", tmp_path / "other"))
    assert "REELFLOW_STORE is none" in message(data("gc", "--dry-run"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "--data", "/no/clips"],
        ["status", "--weights", "/no/weights"],
        ["status", "--out", "/no/run"],
        ["gc", "--out", "/no/run", "--yes"],
    ],
    ids=["status --data", "status --weights", "status --out", "gc --out"],
)
def test_a_mistyped_folder_is_refused(arguments, small_run, store, registry):
    """`gc` would remove what the run needs that was meant."""
    before = whole(store)
    found = data(*arguments)
    assert f"there is no {arguments[2]}: name " in f"{found.output} {found.exception}"
    assert found.exit_code != 0
    assert whole(store) == before


def test_a_store_that_is_none_is_a_plain_error(small_run, monkeypatch):
    monkeypatch.setenv("REELFLOW_STORE", "gs://elsewhere")
    assert "expected a folder, s3://" in message(data("status", "--params", small_run[0].params))


def test_after_a_pull_no_clip_is_decoded_and_no_backbone_runs(small_run, store, tmp_path, monkeypatch):
    place, out, _ = small_run
    assert data("push", "--remote", tmp_path / "remote").exit_code == 0
    monkeypatch.setenv("REELFLOW_STORE", str(tmp_path / "another machine" / "store"))
    pulled = data("pull", "--remote", tmp_path / "remote")
    assert pulled.stdout.startswith("pulled ")
    assert "pulled 0 shards" in data("pull", "--remote", tmp_path / "remote").stdout

    calls: list[object] = []
    monkeypatch.setattr(frames_step, "in_processes", lambda _, clips, **__: calls.extend(clips) or iter(()))
    monkeypatch.setattr(Thumbnail, "embed", lambda *_: calls.append("embedded"))
    params = load_params(place.params)
    (dataset,) = out.glob("work/dataset-*")
    frames = in_environment(frames_step.run)(params.frames, dataset=dataset, frames=tmp_path / "frames")
    made = in_environment(features_step.run)(
        params.features, backbone="thumbnail", frames=tmp_path / "frames", features=tmp_path / "features"
    )
    assert frames.metrics["clips"] == made.metrics["clips"] > 0
    assert not calls


def test_the_other_store_must_be_another(store):
    assert "is REELFLOW_STORE itself" in message(data("push", "--remote", store))
    assert "the other store is empty" in message(data("push", "--remote", ""))


def test_gc_asks_shows_and_removes_what_nobody_needs(store, tmp_path, no_outputs):
    age(store)
    everything = ("gc", "--without-models", "--out", no_outputs)
    shown = data(*everything, "--dry-run").stdout.splitlines()
    assert [line.split()[:4] for line in shown if line.startswith("remove")] == [
        ["remove", "features", "3", "6"],
        ["remove", "frames", "3", "9"],
    ]
    assert shown[-1] == "nothing was removed (--dry-run)"
    refused = CliRunner().invoke(app, ["data", *map(str, everything)], input="n\n")
    assert "Remove 21 objects" in refused.stdout
    assert whole(store) == (3, 3)
    assert data(*everything, "--yes").exit_code == 0
    assert whole(store) == (0, 0)
    assert {path.name for path in store.iterdir() if any(path.rglob("*/*"))} == {"facts"}
    assert "nothing to remove" in data(*everything).stdout


def keep_clips(name: str, report: DatasetReport) -> Path:
    """Put a clip of this data set into the cache as one that was fetched long ago."""
    tree = ClipCache(Settings().clips).tree(SourceNote.on(report))
    (tree / "class").mkdir(parents=True)
    (tree / "class" / name).write_text(name)
    age(Settings().clips)
    return tree


def test_gc_removes_clips_and_leftovers_that_nobody_needs(small_run, store, tmp_path):
    (dataset,) = small_run[1].glob("work/dataset-*")
    report = DatasetReport.open(dataset)
    kept = keep_clips("kept.avi", report)
    gone = keep_clips("gone.avi", report.model_copy(update={"version": "of last year"}))
    left = [store / "frames" / "files" / f".{'0' * 64}.1-2.tmp", Settings().clips / ".clip.avi.1-2.tmp"]
    for path in left:
        path.write_text("half")
        os.utime(path, (VERY_OLD, VERY_OLD))
    everything = ("gc", "--without-models", "--out", small_run[1])
    shown = data(*everything, "--dry-run").stdout
    assert [line.split()[:4] for line in shown.splitlines() if line.startswith("remove")] == [
        ["remove", "clips", "1", "8"],
        ["remove", "unfinished", "files", "1"],
        ["remove", "unfinished", "shards", "1"],
    ]
    assert re.search(rf"keep: {re.escape(str(dataset))} +clips +1 +8 B", shown)
    refused = CliRunner().invoke(app, ["data", *map(str, everything)], input="n\n")
    assert f"Remove 0 objects from {store}, 3 clips and leftovers" in refused.stdout
    assert gone.is_dir()
    assert data(*everything, "--yes").stdout.endswith("removed 0 objects, 3 clips and leftovers\n")
    assert (kept.is_dir(), gone.is_dir(), [path.exists() for path in left]) == (True, False, [False, False])
    assert data(*everything).stdout.endswith("nothing to remove\n")


def test_gc_keeps_what_is_young_and_what_outputs_need(small_run, store, tmp_path):
    everything = ("gc", "--without-models", "--yes", "--out")
    for path in store.rglob("*"):
        path.touch()
    data(*everything, tmp_path)
    assert whole(store) == (3, 3)
    age(store)
    shown = data(*everything, small_run[1])
    assert f"keep: {small_run[1]}" in shown.stdout
    assert whole(store) == (3, 3)


def test_gc_does_not_make_a_registry_where_there_is_none(store, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'no.db'}")
    assert "there is no registry at" in message(data("gc", "--yes"))
    assert not (tmp_path / "no.db").exists()


def test_gc_keeps_what_a_registered_model_needs_until_it_is_deleted(small_run, store, registry, no_outputs):
    age(store)
    everything = ("gc", "--yes", "--out", no_outputs)
    (dataset,) = small_run[1].glob("work/dataset-*")
    clips = keep_clips("clip.avi", DatasetReport.open(dataset))
    client, _ = connect(registry)
    for alias in ("challenger", "champion"):
        client.delete_registered_model_alias("reelflow", alias)
    assert "keep: model reelflow/1" in data(*everything).stdout
    assert whole(store) == (3, 3)

    client.delete_model_version_tag("reelflow", "1", LINEAGE_TAG)
    assert "reelflow/1 was registered without its lineage" in message(data(*everything))
    assert whole(store) == (3, 3)

    client.delete_model_version("reelflow", "1")
    assert "no model is registered" in message(data(*everything))
    assert whole(store) == (3, 3)
    assert clips.is_dir()
    assert data(*everything, "--without-models").exit_code == 0
    assert whole(store) == (0, 0)
    assert not clips.exists()
