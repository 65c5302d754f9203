"""The name of the pipeline that a schedule runs.

KFP 2.17's API takes any name of up to 128 letters (backend/src/apiserver/model/pipeline.go); where it keeps
pipelines as Kubernetes objects, it takes a name of Kubernetes alone, beside a displayed one
(storage/pipeline_store_kubernetes.go).
"""

import re

from pipelines.cluster.versions import PipelineName
from reelflow.files import sha256_text

PLAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
MAX_LETTERS = 128
HASH_LETTERS = 8


def pipeline_of(pipeline: str, schedule: str) -> PipelineName:
    """The name of a schedule's pipeline.

    Args:
        pipeline: `kfp.pipeline` of the cluster file.
        schedule: its name.
    """
    displayed = f"{pipeline} schedule {schedule}"
    name = f"{pipeline}-schedule-{schedule}"
    if not PLAIN.fullmatch(name) or len(name) > MAX_LETTERS:
        slug = re.sub(r"[^a-z0-9]+", "-", displayed.lower()).strip("-")
        shortened = slug[: MAX_LETTERS - HASH_LETTERS - 1].rstrip("-")
        name = f"{shortened}-{sha256_text(displayed)[:HASH_LETTERS]}"
    return PipelineName(name, displayed)
