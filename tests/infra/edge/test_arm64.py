"""A bundle answers on arm64 as on the machine that made it: installed there, and as a gate of promotion."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.release.gates.architectures import EMULATED, IMAGE, architecture_gates
from reelflow.edge.proof.document import MAX_SCORE_DIFFERENCE, Proof
from tests.engine import docker
from tests.infra.edge.device import Device, device
from tests.workplace import Workplace

pytestmark = [pytest.mark.arm64, pytest.mark.timeout(3600)]

CLIPS, FRAMES = 10, 10
CLASSES = ("Punch", "YoYo")  # of UCF101, which has clips enough of these
MODULE = ("-m", "reelflow.edge.proof")
LONG_S = 3000


@pytest.fixture(scope="module")
def data(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real clips of two classes."""
    folder = tmp_path_factory.mktemp("clips")
    for name in CLASSES:
        shutil.copytree(shared_data / "clips/ucf101" / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def clips(data: Path) -> list[Path]:
    """Some of each class."""
    return [clip for name in CLASSES for clip in sorted((data / name).iterdir())[: CLIPS // len(CLASSES)]]


@pytest.fixture(scope="module")
def bundle(data: Path, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a run on real clips, with a network and a recurrent head that has learned something."""
    place = Workplace(tmp_path_factory.mktemp("real"))
    place.write_params(
        frames={"count": FRAMES},
        training={"heads": ["gru"], "epochs": 30, "units": 64},
        features={"backbones": ["mobilenet_v2_quant"]},
    )
    given = ["--data", data, "--weights", shared_data / "weights"]
    done = place.run(place.folder / "out", *given)
    assert done.returncode == 0, done.stdout
    return place.folder / "out/bundle"


@pytest.fixture(scope="module")
def here(bundle: Path, clips: list[Path]) -> Proof:
    """What this machine says."""
    done = subprocess.run([sys.executable, *MODULE, bundle, *clips], capture_output=True, check=True)
    return Proof.model_validate_json(done.stdout)


@pytest.fixture(scope="module")
def pi(bundle: Path, clips: list[Path]) -> Iterator[Device]:
    """An arm64 Debian, on which the wheel is installed from binary wheels alone."""
    with device("arm64", *EMULATED, command=("sleep", "infinity")) as found:
        assert found.out("uname", "-m").strip() == "aarch64"
        assert "is installed" in found.out("/root/dist/install.sh", timeout_s=LONG_S)
        found.copy(bundle.resolve(), "/root/bundle")
        found.out("mkdir", "/root/clips")
        for place, clip in enumerate(clips):
            found.copy(clip, f"/root/clips/{place}{clip.suffix}")
        yield found


def test_the_bundle_is_sound_there(pi: Device):
    assert "as expected on this device" in pi.out("reelflow", "verify", "/root/bundle", timeout_s=LONG_S)


def test_it_answers_there_as_here(pi: Device, here: Proof, clips: list[Path]):
    mounted = [f"/root/clips/{place}{clip.suffix}" for place, clip in enumerate(clips)]
    printed = pi.out("/opt/reelflow/bin/python", *MODULE, "/root/bundle", *mounted, timeout_s=LONG_S)
    there = Proof.model_validate_json(printed[printed.index("{") :])
    assert (there.architecture, there.code) == ("aarch64", here.code)
    pairs = list(zip(here.classified + here.watched, there.classified + there.watched, strict=True))
    assert [mine.label for mine, _ in pairs] == [theirs.label for _, theirs in pairs]
    largest = max(mine.difference(theirs) for mine, theirs in pairs)
    assert here.alike(there) == 1.0
    assert largest <= MAX_SCORE_DIFFERENCE


def test_the_gate_measures_it_in_the_image(bundle: Path, clips: list[Path]):
    (gate,) = architecture_gates(["aarch64"], bundle, clips[:2], {})
    assert (gate.found, gate.why, gate.passed) == (1.0, "", True)


def test_the_image_runs_locked_down(bundle: Path):
    locked = ["--rm", *EMULATED, "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--network=none"]
    volume = f"--volume={bundle.resolve()}:/bundle:ro"
    done = docker("run", *locked, volume, IMAGE.format("aarch64"), "info", "/bundle")
    assert done.returncode == 0, done.stdout
    assert "mobilenet_v2_quant-gru" in done.stdout
