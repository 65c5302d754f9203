"""Bytes that a cluster run moves: through KFP's artifacts, and through the object store, task by task.

The steps run here one after another, as tasks of a cluster with a store run them: shards stay in an S3 that
rclone serves, outputs only name them. What a task must read is what the steps before it made for it.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from components.baselines.step import run as run_baselines
from components.conversion.step import run as run_conversion
from components.dataset.step import run as run_dataset
from components.evaluation.step import run as run_evaluation
from components.features.step import run as run_features
from components.frames.step import run as run_frames
from components.training.step import run as run_training
from reelflow.commandline import run_command
from reelflow.contracts import BundleReport
from reelflow.edge.seal import seal
from reelflow.params import load_params
from reelflow.settings import Settings
from reelflow.steps import perform

SIZES = (100, 1000, 10_000)
RECIPE = ROOT / "components" / "dataset" / "embedded.yaml"
BACKBONE = "thumbnail"
CLIPS_A_GROUP = 12
FRAMES_A_SHARD = 128  # clips
BUCKET = "shards"


@dataclass(frozen=True)
class Moved:
    """What one task moved, in bytes.

    Attributes:
        task: its name.
        kfp_read: artifacts that it got.
        kfp_written: its own artifact.
        store_read: from the store.
        store_written: to the store.
        needed: what it must read from the store.
    """

    task: str
    kfp_read: int
    kfp_written: int
    store_read: int
    store_written: int
    needed: int


def main(
    clips: Annotated[list[int] | None, typer.Option(help="Numbers of clips.")] = None,
    head: Annotated[str, typer.Option(help="The head that is trained.")] = "gru",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Count for several numbers of clips and print tables."""
    from tests.s3_server import ACCESS_KEY, SECRET_KEY, rclone_s3

    os.environ |= {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    found: dict[int, list[Moved]] = {}
    for count in clips or SIZES:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            with rclone_s3(place / "server", BUCKET) as endpoint:
                found[count] = list(measure(count, head, place, endpoint))
        if not as_json:
            print("\n".join(table(count, found[count])), flush=True)
    if len(found) > 1 and not as_json:
        print("\n" + growth(found))
    if as_json:
        print(json.dumps({count: [asdict(one) for one in moved] for count, moved in found.items()}, indent=2))


def measure(clips: int, head: str, place: Path, endpoint: str) -> Iterator[Moved]:
    """Run the steps for about so many clips."""
    events = place / "events.jsonl"
    settings = Settings().model_copy(
        update={"store": f"s3://{BUCKET}", "s3_endpoint": endpoint, "shards": "store", "events": events}
    )
    params = load_params(ROOT / "params.small.yaml").with_values(
        dataset={"source": str(_recipe(clips, place))},
        frames={"shards": max(1, clips // FRAMES_A_SHARD)},
        features={"backbones": [BACKBONE], "networks": {}, "views": ["plain"]},
        training={"heads": [head]},
        evaluation={"protocol": "holdout"},
    )
    out = {name: place / "out" / name for name in ("dataset", "frames", "features", "baselines")}
    out |= {name: place / "out" / name for name in ("model", "evaluation", "bundle")}
    protocol = {"protocol": params.evaluation.protocol}

    def task(run: Any, section: Any, output: str, reads: list[str], needed: int = 0, **how: Any) -> Moved:
        given = {name: out[name] for name in reads}
        if output == "dataset":
            given = {"source": Path(params.dataset.source)}
        if output == "bundle":
            given["evaluations"] = given.pop("evaluation")
        perform(run, section, inputs=given, output={output: out[output]}, settings=settings, **how)
        moved = json.loads(events.read_text().splitlines()[-1])["store"]
        return Moved(
            output,
            sum(_size(out[name]) for name in reads),
            _size(out[output]),
            _sum(moved["read"]),
            _sum(moved["written"]),
            needed,
        )

    yield task(run_dataset, params.dataset, "dataset", [])
    frames = task(run_frames, params.frames, "frames", ["dataset"])
    yield frames
    reads = ["dataset", "frames"]
    how: dict[str, Any] = {"options": {"backbone": BACKBONE}}
    features = task(run_features, params.features, "features", reads, frames.store_written, **how)
    yield features
    how = {"options": protocol}
    yield task(run_baselines, params.baselines, "baselines", reads, frames.store_written, **how)
    how = {"options": {"head": head, **protocol}}
    reads = ["dataset", "features"]
    yield task(run_training, params.training, "model", reads, features.store_written, **how)
    yield task(run_evaluation, params.evaluation, "evaluation", [*reads, "model", "baselines"])
    how = {"options": {"weights": "random", "seed": "1"}, "seal": seal}
    reads = ["dataset", "frames", "evaluation"]
    converted = task(run_conversion, params.conversion, "bundle", reads, **how)
    parity = BundleReport.open(out["bundle"]).parity
    yield replace(converted, needed=frames.store_written * parity.clips // clips)


def table(clips: int, moved: list[Moved]) -> Iterator[str]:
    """One number of clips as a table in Markdown."""
    yield f"\n| {clips} clips | KFP reads | KFP writes | store reads | must read | store writes |"
    yield "|" + "---|" * 6
    for one in moved:
        columns = (one.kfp_read, one.kfp_written, one.store_read, one.needed, one.store_written)
        yield f"| {one.task} | {' | '.join(f'{value:,}' for value in columns)} |"
    written = sum(one.kfp_written for one in moved)
    read = sum(one.kfp_read for one in moved)
    yield f"\nthrough KFP: {written / clips:.0f} bytes a clip are written, {read / clips:.0f} are read"


def growth(found: dict[int, list[Moved]]) -> str:
    """What one clip more costs, between the fewest clips and the most: models and pictures do not count."""
    fewest, most = min(found), max(found)
    written = {count: sum(one.kfp_written for one in found[count]) for count in (fewest, most)}
    each = (written[most] - written[fewest]) / (most - fewest)
    return f"through KFP, each clip more than {fewest} writes {each:.0f} bytes"


def _recipe(clips: int, place: Path) -> Path:
    recipe = yaml.safe_load(RECIPE.read_text()) | {"groups": -(-clips // CLIPS_A_GROUP)}
    path = place / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def _size(folder: Path) -> int:
    """Bytes of what KFP would move: the files of a folder, not the clips that a recipe has drawn."""
    files = (path for path in folder.rglob("*") if "clips" not in path.relative_to(folder).parts[:-1])
    return sum(path.stat().st_size for path in files if path.is_file())


def _sum(by_kind: dict[str, int]) -> int:
    return sum(by_kind.values())


if __name__ == "__main__":
    run_command(main)
