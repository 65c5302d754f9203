"""Output of `lineage`: a tree from the release to the clips, or a table of the clips."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from pipelines.lineage.trace import Chain, Release, trace
from reelflow.artifacts.clips import ClipRow
from reelflow.artifacts.lineage import Lineage
from reelflow.commandline import printable
from reelflow.contracts import BackboneSpec
from reelflow.errors import BundleError
from reelflow.files import write_csv
from reelflow.provenance.step import Provenance
from reelflow.settings import Settings

COLUMNS = ("sha256", "path", "label", "group", "split")
SHORT = 12
NOT_RECORDED = "not recorded"


def show(
    target: str, settings: Settings, console: Console, *, clips: bool, output: Path | None, as_json: bool
) -> None:
    """Run the command `lineage`.

    Args:
        target: a bundle, a run's folder, or a model.
        settings: where MLflow is.
        console: to print to.
        clips: list them instead of the chain.
        output: a CSV file for the clips.
        as_json: print a document instead.

    Raises:
        BundleError: clips were requested but not recorded; or as `trace`.
    """
    chain = trace(target, settings)
    if as_json:
        console.file.write(chain.to_json())
    elif clips:
        print_clips(_clips(chain), console)
    else:
        print_chain(chain, console)
    if output:
        write_clips(_clips(chain), output)


def print_chain(chain: Chain, console: Console) -> None:
    """Print the chain, newest link first."""
    bundle = chain.bundle
    tree = Tree(_text(f"bundle {bundle.name}, sha256 of bundle.json {chain.bundle_sha256}"))
    _branch(tree, "released", [_released(one) for one in chain.releases] or [NOT_RECORDED])
    parity = f"parity {bundle.parity.agreement:.1%} on {bundle.parity.clips} clips"
    lines = [f"head {bundle.head_quantization}, backbone {bundle.backbone_quantization}, {parity}"]
    _branch(tree, "conversion", lines + _made(chain.conversion))
    lineage = chain.lineage
    _branch(tree, "training", [*_run(chain), *(_made(lineage.step("training")) if lineage else [])])
    if lineage:
        features = [_backbone(lineage.backbone), _shards(lineage.features)]
        _branch(tree, "features", features + _made(lineage.step("features")))
        _branch(tree, "frames", [_shards(lineage.frames), *_made(lineage.step("frames"))])
        _branch(tree, "data", [*_data(lineage), *_made(lineage.step("dataset"))])
    else:
        _branch(tree, "data", [f"data hash {bundle.data_hash}"])
    if chain.missing:
        _branch(tree, "missing", chain.missing)
    console.print(tree)


def print_clips(clips: Iterable[ClipRow], console: Console) -> None:
    """Print one line per clip, in the format of `sha256sum`."""
    for sha256, path, *_ in clips:
        console.print(_text(f"{sha256}  {path}"), soft_wrap=True)


def write_clips(clips: Iterable[ClipRow], path: Path) -> None:
    """Every clip as a row of a CSV file.

    Raises:
        StorageError: the disk is full or read-only.
    """
    write_csv(path, COLUMNS, clips)


def _clips(chain: Chain) -> tuple[ClipRow, ...]:
    if chain.lineage is None:
        raise BundleError(f"the clips of {chain.bundle.name} were not recorded; {'; '.join(chain.missing)}")
    return chain.lineage.clips


def _released(release: Release) -> str:
    who = release.released_by or f"somebody ({NOT_RECORDED})"
    aliases = f", now {', '.join(release.aliases)}" if release.aliases else ""
    other = (
        "" if release.same_lineage else "; registered with another lineage than the one beside this bundle"
    )
    return f"{release.version} by {who} at {release.released_at}{aliases}{other}"


def _run(chain: Chain) -> list[str]:
    run = chain.run
    if run is None:
        return [f"MLflow run: {NOT_RECORDED}"]
    return [
        f"MLflow run {run.run_id} ({run.name}), {run.status.lower()}, started {run.started_at}",
        run.link,
        f"git commit {run.commit or NOT_RECORDED}",
    ]


def _backbone(spec: BackboneSpec) -> str:
    return f"backbone {spec.name}, weights {spec.weights_sha256 or 'none'}"


def _shards(shards: dict[str, str]) -> str:
    first = f", the first {next(iter(shards.values()))[:SHORT]}" if shards else ""
    return f"{len(shards)} shards{first}" if shards else f"shards: {NOT_RECORDED}"


def _data(lineage: Lineage) -> list[str]:
    dataset, splits = lineage.dataset, Counter(split for *_, split in lineage.clips)
    told = ", ".join(f"{splits[split]} {split}" for split in dataset.split_counts)
    return [
        f"source {dataset.source}" + (f" at {dataset.revision}" if dataset.revision else ""),
        f"data hash {dataset.data_hash}",
        f"{len(lineage.clips)} clips ({told}), {len(dataset.labels)} classes; "
        "their hashes give this data hash (--clips lists them)",
        f"{len(dataset.quarantined)} left out",
    ]


def _made(step: Provenance | None) -> list[str]:
    """Params, code and libraries of a step."""
    if step is None:
        return [f"params, code, libraries: {NOT_RECORDED}"]
    values = {**step.options, **step.params}
    libraries = ", ".join(f"{name} {version}" for name, version in step.libraries.items())
    return [
        f"params {', '.join(f'{name}={_value(value)}' for name, value in values.items() if value != '')}",
        f"code {step.code[:SHORT]}, Python {step.python}, {libraries}",
    ]


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}={_value(one)}" for name, one in value.items()) + "}"
    return str(value)


def _branch(tree: Tree, name: str, lines: Iterable[str]) -> None:
    branch = tree.add(Text(name, style="bold"))
    for line in lines:
        branch.add(_text(line))


def _text(text: str) -> Text:
    return Text(printable(text))
