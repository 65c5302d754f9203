"""Finished images reach a cluster without a registry, and the index."""

import json
from pathlib import Path

import pytest

from infra.images import engine
from infra.images.delivery import ClusterKind, Delivery, load
from reelflow import __version__
from reelflow.errors import ReelflowError
from tests.infra.images.programs import Programs

FRAMES = "reelflow-frames:0.1.0-aaaaaaaaaaaa"


def test_kind_takes_images_from_the_engine(programs: Programs) -> None:
    programs.add("kind")
    load(ClusterKind.KIND, FRAMES)
    assert programs.calls("kind") == [f"load docker-image {FRAMES}"]


@pytest.mark.parametrize(
    ("kind", "program", "call"),
    [
        (ClusterKind.K3S, "k3s", "ctr images import -"),
        (ClusterKind.CONTAINERD, "ctr", "--namespace=k8s.io images import -"),
    ],
)
def test_others_read_an_archive(programs: Programs, kind: ClusterKind, program: str, call: str) -> None:
    programs.add(program)
    load(kind, FRAMES, "second")
    assert programs.calls(program) == [call]
    assert programs.given(program) == f"{FRAMES} second"


def test_a_cluster_that_refuses_is_told(programs: Programs) -> None:
    programs.add("k3s")
    with pytest.raises(ReelflowError) as caught:
        load(ClusterKind.K3S, "refuse")
    assert "loading refuse into k3s: k3s ended with 1" in str(caught.value)
    assert "no space left on the node" in str(caught.value)


@pytest.mark.parametrize("kind", ClusterKind)
def test_a_missing_program_is_named(
    programs: Programs, kind: ClusterKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ReelflowError, match=r"there is no program (kind|k3s|ctr); install it"):
        load(kind, FRAMES)


def test_the_index_keeps_what_it_has(programs: Programs, tmp_path: Path) -> None:
    index = tmp_path / "images.json"
    Delivery(index).deliver("frames", FRAMES)
    Delivery(index).deliver("features", "reelflow-features:1")
    assert json.loads(index.read_text()) == {"frames": FRAMES, "features": "reelflow-features:1"}


def test_a_pushed_image_is_named_by_its_digest(programs: Programs, tmp_path: Path) -> None:
    engine.build(tmp_path, tmp_path, "parent", FRAMES)
    Delivery(tmp_path / "images.json", registry="host:5000/team/").deliver("frames", FRAMES)
    (found,) = json.loads((tmp_path / "images.json").read_text()).values()
    assert found == f"host:5000/team/reelflow-frames@sha256:{'1' * 64}"
    assert f"push --quiet host:5000/team/{FRAMES}" in programs.calls("docker")


def test_the_server_also_has_the_name_of_the_manifests(programs: Programs, tmp_path: Path) -> None:
    programs.add("kind")
    reference, plain = "reelflow-mlflow:0.1.0-bbbbbbbbbbbb", f"reelflow-mlflow:{__version__}"
    engine.build(tmp_path, tmp_path, "parent", reference)
    Delivery(tmp_path / "images.json", cluster=ClusterKind.KIND).deliver("mlflow", reference)
    assert programs.calls("kind") == [f"load docker-image {reference} {plain}"]
    assert programs.images() == {reference, plain}
