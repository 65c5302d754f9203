"""From a bundle back to the hash of every clip: what is told, where it is taken from, what is refused."""

import csv
import getpass
import json
import re
import shutil
import zlib
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pipelines.__main__ import app
from pipelines.lineage.trace import Chain, trace
from reelflow.artifacts import lineage
from reelflow.artifacts.clips import data_hash, read_clips, row_of
from reelflow.artifacts.lineage import LINEAGE, Lineage
from reelflow.contracts import DatasetReport, FeaturesReport, FramesReport
from reelflow.edge.seal import seal
from reelflow.errors import BundleError, ParamsError, ReelflowError, TrackingError
from reelflow.files import sha256_file
from reelflow.settings import Settings
from tests.workplace import Workplace

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
SmallRun = tuple[Workplace, Path, str]


@pytest.fixture(autouse=True)
def tracking(small_run: SmallRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", small_run[0].tracking_uri)


@pytest.fixture
def bundle(small_run: SmallRun, tmp_path: Path) -> Path:
    """A bundle far from its run."""
    return Path(shutil.copytree(small_run[1] / "bundle", tmp_path / "device" / "bundle"))


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["lineage", *map(str, arguments)])


def step_folder(small_run: SmallRun, step: str) -> Path:
    (folder,) = small_run[1].glob(f"work/{step}-*")
    return folder


def change(bundle: Path, edit: Callable[[dict], object]) -> None:
    document = json.loads((bundle / LINEAGE).read_text())
    document["clips"] = json.loads(
        zlib.decompress(b64decode(document["clips"]))
    )  # as older versions wrote them
    edit(document)
    (bundle / LINEAGE).write_text(json.dumps(document))
    seal(bundle)


def test_a_bundle_alone_leads_back_to_every_clip(small_run, bundle):
    found = trace(str(bundle), Settings()).lineage
    dataset = step_folder(small_run, "dataset")
    clips = {path: sha256 for sha256, path, *_ in found.clips}
    assert clips == {
        path.relative_to(dataset / "clips").as_posix(): sha256_file(path)
        for path in (dataset / "clips").rglob("*.mp4")
    }
    assert found.dataset == DatasetReport.open(dataset)


def test_every_shard_and_step_is_named(small_run, bundle):
    chain = trace(str(bundle), Settings())
    frames = FramesReport.open(step_folder(small_run, "frames"))
    features = FeaturesReport.open(step_folder(small_run, "features"))
    assert chain.lineage.shards == {one.sha256 for one in (*frames.shards, *features.shards)}
    assert [one.step for one in chain.lineage.steps] == ["dataset", "frames", "features", "training"]
    head = chain.bundle.head
    assert chain.lineage.step("training").options["head"] == head
    assert chain.conversion.step == "conversion"
    assert chain.missing == ()


def test_the_release_and_the_run_are_those_of_mlflow(bundle):
    chain = trace(str(bundle), Settings())
    (release,) = chain.releases
    assert release.version == "reelflow/1"
    assert release.aliases == ("challenger", "champion")
    assert release.released_by == getpass.getuser()
    assert release.same_lineage
    assert (chain.run.name, chain.run.status) == (chain.bundle.name, "FINISHED")


@pytest.mark.parametrize("target", ["models:/reelflow@champion", "models:/reelflow/1"])
def test_a_model_tells_what_its_bundle_tells(bundle, target):
    assert trace(target, Settings()) == trace(str(bundle), Settings())


def test_a_runs_folder_and_a_file_mean_its_bundle(small_run, bundle):
    for target in (small_run[1], bundle / "bundle.json", bundle / LINEAGE):
        assert trace(str(target), Settings()).lineage == Lineage.of_bundle(bundle)


def test_the_tree_names_every_link(bundle):
    shown = command(bundle).stdout
    links = re.findall(r"^[├└]── (\w+)$", shown, re.MULTILINE)
    assert links == ["released", "conversion", "training", "features", "frames", "data"]
    report = trace(str(bundle), Settings()).bundle
    for text in (
        report.data_hash,
        f"{getpass.getuser()} at 20",
        "now challenger, champion",
        "seed=1",
        "numpy 2",
    ):
        assert text in shown


def test_the_document_is_the_whole_chain(bundle):
    shown = command(bundle, "--json").stdout
    assert Chain.model_validate_json(shown) == trace(str(bundle), Settings())


def test_clips_are_listed_and_written(bundle, tmp_path):
    shown = command(bundle, "--clips", "--output", tmp_path / "clips.csv").stdout.splitlines()
    rows = list(csv.DictReader((tmp_path / "clips.csv").read_text().splitlines()))
    assert [f"{row['sha256']}  {row['path']}" for row in rows] == shown
    assert {row["split"] for row in rows} == {"train", "validation", "test"}


def test_without_a_registry_the_rest_is_told(bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'none.db'}")
    chain = trace(str(bundle), Settings())
    assert chain.lineage
    assert [one.split(":")[0] for one in chain.missing] == ["releases", "training run"]
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(TrackingError, match="there is no registry"):
        trace("models:/reelflow@champion", Settings())


def test_a_bundle_that_lost_its_lineage_gets_it_from_the_registry(bundle):
    (bundle / LINEAGE).unlink()
    chain = trace(str(bundle), Settings())
    assert chain.lineage
    assert chain.releases[0].same_lineage


def test_what_was_never_recorded_is_said_and_not_made_up(bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'none.db'}")
    change(bundle, lambda document: document.update(steps=document["steps"][:2], features={}))
    (bundle / "provenance.json").unlink()
    told = "\n".join(trace(str(bundle), Settings()).missing)
    for link in (
        "conversion: its params",
        "features: its params",
        "training: its params",
        "features: the list",
    ):
        assert link in told
    (bundle / LINEAGE).unlink()
    chain = trace(str(bundle), Settings())
    assert chain.lineage is None
    assert f"there is no {LINEAGE}" in "\n".join(chain.missing)
    assert command(bundle).exit_code == 0
    assert isinstance(command(bundle, "--clips").exception, BundleError)


def test_another_lineage_than_the_registered_one_is_pointed_out(bundle):
    change(bundle, lambda document: document["frames"].popitem())
    assert not trace(str(bundle), Settings()).releases[0].same_lineage
    assert "registered with another lineage" in command(bundle).stdout


def swap_a_hash(document: dict) -> None:
    document["clips"][0][0] = "0" * 64


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (swap_a_hash, "lists other clips"),
        (lambda document: document["clips"].pop(), "lists other clips"),
        (lambda document: document["dataset"].update(data_hash="0" * 64), "lists other clips"),
        (lambda document: document.update(bundle_sha256="0" * 64), "belongs to another bundle"),
        (lambda document: document.update(surprise=1), "not a valid Lineage"),
        (lambda document: document["clips"].append(["x"]), "not a valid Lineage"),
        (lambda document: document.update(schema_version=2), "not a valid Lineage"),
    ],
)
def test_an_altered_lineage_is_refused(bundle, edit, told):
    change(bundle, edit)
    with pytest.raises(BundleError, match=told):
        trace(str(bundle), Settings())


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 999, b"[" * 100_000, b'{"clips": 1e999}', b"\xff{}", b"null"]
)
@pytest.mark.parametrize("name", [LINEAGE, "provenance.json", "bundle.json"])
@pytest.mark.parametrize("sealed", [True, False])
def test_garbage_is_refused_in_one_message(bundle, name, content, sealed):
    (bundle / name).write_bytes(content)
    if sealed:
        seal(bundle)
    found = command(bundle).exception
    assert isinstance(found, BundleError)
    assert name in str(found)


def test_a_lineage_too_large_is_not_read(bundle, monkeypatch):
    monkeypatch.setattr(lineage, "MAX_LINEAGE_BYTES", 100)
    with pytest.raises(BundleError, match="larger than 100 bytes"):
        trace(str(bundle), Settings())


def test_what_a_clip_is_called_steers_no_terminal(bundle):
    change(bundle, lambda document: document["clips"][0].__setitem__(1, "a\x1b[2Jb.mp4"))
    shown = command(bundle, "--clips").stdout
    assert "\x1b" not in shown
    assert "a\\x1b[2Jb.mp4" in shown


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("models:/reelflow", ParamsError),
        ("models:/reelflow/latest", ParamsError),
        ("models:/reelflow@nobody", ReelflowError),
        ("models:/nobody/1", ReelflowError),
        ("models:/reelflow/99", ReelflowError),
        ("/dev/null", ParamsError),
        ("no such folder", ParamsError),
    ],
)
def test_what_is_no_bundle_and_no_model_is_refused(target, kind):
    assert isinstance(command(target).exception, kind)


def test_the_hash_of_the_clips_is_the_dataset_steps_own(small_run):
    folder = step_folder(small_run, "dataset")
    clips = read_clips(folder)
    assert data_hash(row_of(clip) for clip in reversed(clips)) == DatasetReport.open(folder).data_hash
