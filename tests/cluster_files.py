"""A cluster file for tests: reelflow's own, with images that look built and pushed."""

import json
from pathlib import Path

from pipelines.cluster.config import ClusterConfig, load_cluster

NAMES = ("dataset", "frames", "baselines", "features", "training", "evaluation", "conversion", "release")


def cluster_with_images(folder: Path, *names: str) -> ClusterConfig:
    """infra/cluster.yaml with images pinned by digest; `names` besides those of the steps."""
    references = {name: f"host/reelflow-{name}@sha256:{'0' * 64}" for name in (*NAMES, *names)}
    (folder / "images.json").write_text(json.dumps(references))
    found = load_cluster(Path("infra/cluster.yaml"))
    return found.model_copy(update={"images": folder / "images.json"})
