"""Which images are built, when, and under which names. The engine is a stand-in."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from infra.images import build as building
from infra.images.build import build_all, choose, main
from infra.images.context import NAMES
from infra.images.delivery import ClusterKind, Delivery
from infra.images.engine import remove_stages
from infra.images.source import Source
from infra.images.view import open_view
from pipelines.console import wide_console
from reelflow.errors import ParamsError, ReelflowError
from tests.infra.images.programs import Programs

SOURCE = Source("python@sha256:1", "sha256:1", "c0ffee", "2026-01-01T00:00:00Z")
UNKNOWN = Source("python@sha256:1", "sha256:1", "", "2026-01-01T00:00:00Z")
PARAMS = Path("params.yaml")


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of images that the scan refuses; contexts are empty."""
    names: set[str] = set()
    monkeypatch.setattr(building, "LISTS", tmp_path / "lists")
    monkeypatch.setattr(building, "gather", lambda name: tmp_path)
    monkeypatch.setattr(building, "gather_packages", lambda name, packages: tmp_path)
    monkeypatch.setattr(building, "scan", lambda name, *_: ["setuid"] if name in names else [])
    return names


def build(folder: Path, names: Sequence[str], source: Source = SOURCE) -> dict[str, str]:
    index = folder / "images.json"
    with open_view(names, wide_console()) as view:
        build_all(names, source, Delivery(index), view)
    return dict(json.loads(index.read_text()))


def built(programs: Programs) -> list[str]:
    """The names under which images were built, parents too."""
    return [call.split("--tag=")[1].split()[0] for call in programs.calls("docker") if "--tag=" in call]


def test_an_image_is_built_once(programs: Programs, refused: set[str], tmp_path: Path) -> None:
    first = build(tmp_path, ["frames", "dataset"])
    count = len(built(programs))
    assert count == 4  # the hardened base and the common layer too
    assert build(tmp_path, ["frames", "dataset"]) == first
    assert len(built(programs)) == count
    assert set(first.values()) <= programs.images()
    assert not [name for name in programs.images() if name.endswith("-unchecked")]


def test_an_image_that_is_there_is_checked_where_nothing_tells_that_it_was(
    programs: Programs, refused: set[str], tmp_path: Path
) -> None:
    build(tmp_path, ["frames"])
    (tmp_path / "lists" / "frames.checked").unlink()
    refused.add("frames")
    with pytest.raises(ReelflowError, match="must not be used"):
        build(tmp_path, ["frames"])


def test_a_refused_image_gets_no_name_and_those_before_it_are_in_the_index(
    programs: Programs, refused: set[str], tmp_path: Path
) -> None:
    refused.add("dataset")
    with pytest.raises(ReelflowError, match=r"reelflow-dataset:\S+-unchecked must not be used:\n\tsetuid"):
        build(tmp_path, ["frames", "dataset"])
    (reference,) = json.loads((tmp_path / "images.json").read_text()).values()
    assert reference.startswith("reelflow-frames:")
    names = [name for name in programs.images() if name.startswith("reelflow-dataset:")]
    assert all(name.endswith("-unchecked") for name in names)


def test_a_checkout_without_a_commit_gives_no_image_a_real_name(
    programs: Programs, refused: set[str], tmp_path: Path
) -> None:
    unknown = build(tmp_path, ["frames", "mlflow"], UNKNOWN)
    assert all(reference.endswith("-no-revision") for reference in unknown.values())
    assert "reelflow-mlflow:0.1.0" not in programs.images()


def test_a_checkout_without_a_commit_uses_what_is_there(
    programs: Programs, refused: set[str], tmp_path: Path
) -> None:
    known = build(tmp_path, ["frames"])
    assert build(tmp_path, ["frames"], UNKNOWN) == known


def test_the_command_builds_loads_and_tidies_up(
    programs: Programs, refused: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.add("kind")
    index = tmp_path / "build" / "images.json"
    main(["frames"], base=f"python@sha256:{'2' * 64}", load_into=ClusterKind.KIND, index=index)
    (reference,) = json.loads(index.read_text()).values()
    assert programs.calls("kind") == [f"load docker-image {reference}"]
    assert programs.calls("docker")[-1].startswith("image prune")
    printed = capsys.readouterr().out.splitlines()
    seconds = printed[-1].split(" in ")[1].split()[0]
    assert printed[-2:] == [
        "[1/1] frames: load into kind",
        f"[1/1] frames: 403 MB in {seconds} s, {reference}",
    ]


def test_stages_are_removed_by_their_label(programs: Programs) -> None:
    remove_stages()
    assert programs.calls("docker") == ["image prune --force --filter=label=reelflow.stage"]
    text = Path("infra/images/Containerfile").read_text()
    (stage,) = [part for part in text.split("FROM ") if "LABEL reelflow.stage" in part]
    name = stage.split()[2]
    assert f"--from={name}" in text
    assert f"FROM {name}" not in text  # or images would have the label too


def test_a_run_s_images_and_the_server_s_are_built_by_default(tmp_path: Path) -> None:
    chosen = choose((), PARAMS)
    assert {"dataset", "features", "training", "mlflow"} <= set(chosen)
    assert not {"features-float", "frames-dvc", "training-gpu"} & set(chosen)
    float_params = tmp_path / "params.yaml"
    text = PARAMS.read_text()
    assert "backbones: [thumbnail]" in text
    float_params.write_text(text.replace("backbones: [thumbnail]", "backbones: [inception_v3]"))
    assert set(choose((), float_params)) == set(chosen) - {"features"} | {"features-float"}


def test_all_images_but_the_one_for_gpus_on_request() -> None:
    assert set(choose(["all"], PARAMS)) == set(NAMES) - {"training-gpu"}
    assert set(choose(["all", "training-gpu"], PARAMS)) == set(NAMES)
    assert choose(["frames", "frames"], PARAMS) == ("frames",)
    with pytest.raises(ParamsError, match="no image is called frame"):
        choose(["frame"], PARAMS)
