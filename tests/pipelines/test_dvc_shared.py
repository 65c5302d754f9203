"""What one machine has computed no other computes again: by DVC's remote, and by the store of shards."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
import yaml

from components.dataset.facts import PACKS
from components.frames.shards import assign_shards
from reelflow.artifacts.clips import read_clips
from reelflow.contracts import Clip
from tests.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY, rclone_s3
from tests.spy import Spy, merged
from tests.videos import write_video

SHARDS, FRAMES, CLIPS = 8, 2, 12
OPENED = 3  # times a clip: dataset decodes it, frames look at the times of its packets and decode it
VALUES = {
    "dataset": {"source": "clips", "validation": 0.2, "test": 0.2},
    "frames": {"count": FRAMES, "shards": SHARDS},
}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),
]


class Machine:
    """A checkout with clips, its own caches, and nothing of another one."""

    def __init__(self, folder: Path, endpoint: str, store: str) -> None:
        self.folder = folder
        self._spy = Spy(folder.with_name(f"{folder.name}-spy"))
        own = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": "us-east-1",
            "DVC_NO_ANALYTICS": "true",
            "DVC_SITE_CACHE_DIR": str(folder.with_name(f"{folder.name}-site")),
            "REELFLOW_EVENTS": str(folder.with_name(f"{folder.name}-events.jsonl")),
            "REELFLOW_S3_ENDPOINT": endpoint,
            "REELFLOW_STORE": store,
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }
        self._environment = merged(os.environ | own, self._spy)
        self.set_values(**VALUES)

    def set_values(self, **sections: dict[str, object]) -> None:
        path = self.folder / "params.yaml"
        document = yaml.safe_load(path.read_text())
        for section, values in sections.items():
            document[section].update(values)
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    def __call__(self, *command: str) -> Counter[str]:
        """Run a command; what it has opened and embedded."""
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True, timeout=280
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return self._spy.take()

    def pods(self, *backbones: str) -> Counter[str]:
        """Run the steps as pods do: without DVC, without git."""
        python, outputs = ("python", "-m"), ("--dataset", "pods/dataset", "--frames", "pods/frames")
        counts = self(*python, "components.dataset", *outputs[:2])
        counts += self(*python, "components.frames", *outputs)
        for backbone in backbones:
            target = ("--backbone", backbone, "--features", f"pods/features/{backbone}")
            counts += self(*python, "components.features", *outputs, *target)
        return counts

    def clips(self, dataset: str = "artifacts/dataset") -> list[Clip]:
        return read_clips(self.folder / dataset)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with rclone_s3(tmp_path / "s3", BUCKET) as endpoint:
        yield endpoint


@pytest.fixture
def machine(checkout: Path, server: str) -> Callable[[str, str], Machine]:
    for number in range(CLIPS):
        label = ("jump", "wave")[number % 2]
        write_video(checkout / "clips" / label / f"{number}.mp4", 6, seed=number)

    def start(name: str, store: str) -> Machine:
        folder = checkout.with_name(name)
        shutil.copytree(checkout, folder)
        made = Machine(folder, server, store)
        made("dvc", "remote", "add", "-d", "team", f"s3://{BUCKET}/dvc")
        made("dvc", "remote", "modify", "--local", "team", "endpointurl", server)
        return made

    return start


def shards_of(clips: list[Clip]) -> dict[str, list[str]]:
    return {file: [one.clip_id for one in held] for file, held in assign_shards(clips, SHARDS).items()}


def packs_of(clips: list[Clip]) -> dict[int, list[str]]:
    packs: dict[int, list[str]] = {}
    for clip in clips:
        packs.setdefault(int(clip.sha256[:8], 16) % PACKS, []).append(clip.sha256)
    return {number: sorted(pack) for number, pack in packs.items()}


def in_changed(before: dict, after: dict) -> int:
    """Clips of the shards, or packs, that are not as they were."""
    return sum(len(held) for name, held in after.items() if before.get(name) != held)


def test_another_checkout_pulls_features_from_dvc_s_remote_and_runs_no_backbone(machine):
    one = machine("one", "none")
    counts = one("dvc", "repro", "features")
    assert counts == {"open": OPENED * CLIPS, "embed thumbnail": CLIPS}
    one("dvc", "push", "--run-cache")

    two = machine("two", "none")
    assert two("dvc", "repro", "--pull", "features") == {}
    for file in (one.folder / "artifacts" / "features" / "thumbnail").iterdir():
        assert (two.folder / file.relative_to(one.folder)).read_bytes() == file.read_bytes()
    config = (two.folder / ".dvc" / "config").read_text()
    assert ACCESS_KEY not in config + (two.folder / ".dvc" / "config.local").read_text()

    shutil.rmtree(two.folder / "artifacts")
    shutil.rmtree(two.folder / ".dvc" / "cache")
    two("dvc", "pull", "features@thumbnail")
    assert two("dvc", "repro", "--pull", "features") == {}
    two.set_values(training={"heads": ["lstm"], "units": 7})
    assert two("dvc", "repro", "features") == {}


def test_shards_of_a_cluster_serve_a_laptop_and_the_reverse(machine):
    store = f"s3://{BUCKET}/shared"
    cluster, laptop = machine("cluster", store), machine("laptop", store)
    for name in (".git", ".dvc", "dvc.yaml", ".dvcignore"):
        path = cluster.folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert cluster.pods("thumbnail") == {"open": OPENED * CLIPS, "embed thumbnail": CLIPS}
    assert laptop("dvc", "repro", "features") == {}

    before = laptop.clips()
    for place in (cluster, laptop):
        write_video(place.folder / "clips" / "wave" / "1.mp4", 6, seed=100)
        write_video(place.folder / "clips" / "jump" / "new.mp4", 6, seed=101)
    counts = laptop("dvc", "repro", "features")
    after = laptop.clips()
    in_shards = in_changed(shards_of(before), shards_of(after))
    assert 2 <= in_shards < CLIPS
    in_packs = in_changed(packs_of(before), packs_of(after))
    assert counts == {"open": in_packs + (OPENED - 1) * in_shards, "embed thumbnail": in_shards}
    assert cluster.pods("thumbnail") == {}
    assert {clip.clip_id for clip in cluster.clips("pods/dataset")} == {clip.clip_id for clip in after}


def test_other_weights_of_a_backbone_recompute_it_alone(machine, tmp_path):
    laptop = machine("laptop", str(tmp_path / "store"))
    laptop.set_values(features={"backbones": ["thumbnail", "mobilenet_v2"], "weights": "random", "seed": 1})
    counts = laptop("dvc", "repro", "features")
    assert counts["embed thumbnail"] == counts["embed mobilenet_v2"] == CLIPS
    laptop.set_values(features={"seed": 2})
    assert laptop("dvc", "repro", "features") == {"embed mobilenet_v2": CLIPS}


def test_dvc_sees_that_objects_of_a_prefix_have_changed(machine, server, tmp_path):
    laptop = machine("laptop", "none")
    prefix = tmp_path / "s3" / BUCKET / "team"
    shutil.copytree(laptop.folder / "clips", prefix)
    shutil.rmtree(laptop.folder / "clips")
    laptop.set_values(dataset={"source": f"s3://{BUCKET}/team"})
    assert laptop("dvc", "repro", "frames") == {"open": OPENED * CLIPS}
    lock = (laptop.folder / "dvc.lock").read_text()
    assert laptop("dvc", "repro", "frames") == {}
    assert (laptop.folder / "dvc.lock").read_text() == lock
    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY, "region_name": "us-east-1"}
    more = write_video(tmp_path / "more.mp4", 6, seed=102)
    boto3.client("s3", endpoint_url=server, **keys).upload_file(str(more), BUCKET, "team/wave/more.mp4")
    assert laptop("dvc", "repro", "frames") == {"open": OPENED * (CLIPS + 1)}
    assert len(laptop.clips()) == CLIPS + 1
