"""What a user has beside a server: a cluster file, images, and small packages to upload."""

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler, dsl

from pipelines.cluster.api.client import RETRY, KubeflowClient
from pipelines.cluster.config import ClusterConfig, load_cluster
from reelflow.settings import Settings
from tests.cluster_files import cluster_with_images
from tests.fake_kfp.server import FakeKfp
from tests.workplace import ROOT


def cluster_file(folder: Path, fake: FakeKfp, **kfp: Any) -> Path:
    """A copy of infra/cluster.yaml that names this server."""
    document = yaml.safe_load((ROOT / "infra/cluster.yaml").read_text())
    namespace = fake.store.namespaces[0] if fake.store.namespaces else ""
    document["kfp"] |= {"host": fake.host, "namespace": namespace, "timeout_s": 5, **kfp}
    document["mlflow"]["ui"] = "http://127.0.0.1:9"  # nobody is there
    document["images"] = str(cluster_with_images(folder).images)
    path = folder / "cluster.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def config_for(folder: Path, fake: FakeKfp, **kfp: Any) -> ClusterConfig:
    return load_cluster(cluster_file(folder, fake, **kfp))


def quick_client(config: ClusterConfig, **settings: Any) -> KubeflowClient:
    """Asks again without pauses."""
    return KubeflowClient(config.kfp, Settings(**settings), RETRY.new(backoff_factor=0, backoff_jitter=0))


@functools.cache
def small_package(word: str = "first") -> str:
    """A pipeline of one task; another word makes another package."""

    @dsl.component(base_image="python:3.11", install_kfp_package=False)
    def say(text: str) -> str:
        return text

    @dsl.pipeline(name="small")
    def small() -> None:
        say(text="WORD").set_caching_options(False)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(small, str(path))
        return path.read_text().replace("WORD", word)


def recording(number: int) -> dict[str, Any]:
    """A request to a real server, and its answer."""
    (path,) = Path(__file__).parent.glob(f"recordings/{number:02}-*.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found
