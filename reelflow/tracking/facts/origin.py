"""Who ran what: MLflow's own tags of a run's source (`mlflow.utils.mlflow_tags`)."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

from reelflow import __version__
from reelflow.sources.userinfo import as_link
from reelflow.tracking.journal.entry import user_name

GIT_TIMEOUT_S = 10
DIRTY = "-dirty"  # ends what `git describe --dirty` says of a checkout with changes


def origin_tags(*, on_cluster: bool, revision: str = "") -> dict[str, str]:
    """Tags of a run: who, by which program, from which commit; those that are known.

    MLflow's page shows them in the columns Source, Version and User. `mlflow.source.type` is one of
    `SourceType` of mlflow.entities: JOB or LOCAL.

    Args:
        on_cluster: the steps are tasks of Kubeflow Pipelines.
        revision: of the checkout that an image was built from; used where there is no checkout.
    """
    tags = {
        "mlflow.user": user_name(),
        "mlflow.source.name": f"reelflow {__version__}",
        "mlflow.source.type": "JOB" if on_cluster else "LOCAL",
        "mlflow.source.git.commit": commit(revision),
        "mlflow.source.git.branch": _git("rev-parse", "--abbrev-ref", "HEAD").replace("HEAD", ""),
        "mlflow.source.git.repoURL": as_link(_git("remote", "get-url", "origin")),
    }
    if _git("rev-parse", "HEAD"):
        changed = _git("status", "--porcelain", "--untracked-files=no")
        tags["mlflow.source.git.dirty"] = str(bool(changed)).lower()
    elif revision:
        tags["mlflow.source.git.dirty"] = str(revision.endswith(DIRTY)).lower()
    return {name: value for name, value in tags.items() if value}


def commit(revision: str = "") -> str:
    """Git commit of the checkout; else that of a revision, such as an image's; empty if neither is known."""
    return _git("rev-parse", "HEAD") or revision.removesuffix(DIRTY)


@cache
def _git(*arguments: str) -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    command = [git, "-C", str(Path(__file__).parent), *arguments]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
