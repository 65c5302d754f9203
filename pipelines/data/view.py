"""Output of the data commands: tables on a terminal, plain lines elsewhere."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.data.clips import ClipsPlan
from pipelines.data.garbage import CollectionPlan
from pipelines.data.leftovers import Leftover
from pipelines.data.status import Cache, Held, Status
from pipelines.data.transfer import TransferResult
from reelflow.commandline import printable

REMOVE = "remove"
Row = tuple[str, str, str, str, str]
UNITS = ("B", "kB", "MB", "GB", "TB")


def print_status(status: Status, console: Console) -> None:
    """Print the result of `data status`."""
    rows = [_row(cache) for cache in status.caches]
    _print(console, ("cache", "needed", "in outputs here", "in the store"), rows)
    if any(cache.wanted is None for cache in status.caches):
        _say(
            console,
            "needed: not known before the dataset step has run with these params (make run, dvc repro)",
        )
    _say(console, f"store  {status.where}")
    if status.totals is None:
        _say(console, "shards are not shared: REELFLOW_STORE is none")
        return
    totals = status.totals
    _say(
        console,
        f"  {totals.shards} complete shards in {totals.files} files, {size(totals.size_bytes)} (all params)",
    )
    if totals.torn:
        _say(console, f"  {totals.torn} listings have a missing file and count as absent")
    if totals.orphans.shards:
        _say(
            console,
            f"  {totals.orphans.shards} files ({size(totals.orphans.size_bytes)}) without a listing",
        )


def print_outcome(verb: str, outcome: TransferResult, console: Console) -> None:
    """Print the result of a transfer."""
    told = f"{verb} {outcome.copied} shards, {size(outcome.size_bytes)}; {outcome.present} were already there"
    torn = f"; {outcome.torn} are incomplete at the source and were skipped" if outcome.torn else ""
    _say(console, told + torn)


def print_plan(
    plan: CollectionPlan, clips: ClipsPlan, leftovers: Iterable[Leftover], console: Console
) -> None:
    """Print what a sweep removes, and the reason for what is kept."""
    rows = sorted([*_shards(plan), *_clips(clips), *_leftovers(leftovers)], key=_removed_first)
    _print(console, ("what", "kind", "shards", "files", "size"), rows)


def _removed_first(row: Row) -> bool:
    return row[0] != REMOVE


def _shards(plan: CollectionPlan) -> Iterator[Row]:
    catalog = plan.catalog
    gone = Counter(shard.kind for shard in plan.shards)
    sizes = Counter[str]()
    for stored in plan.files:
        sizes[stored.name.partition("/")[0]] += stored.size_bytes
    files = Counter(stored.name.partition("/")[0] for stored in plan.files)
    for kind in sorted({*gone, *files}):
        yield REMOVE, kind, str(gone[kind]), str(files[kind]), size(sizes[kind])
    stays = Counter((reason, name.partition("/")[0]) for name, reason in plan.kept.items())
    for (reason, kind), count in sorted(stays.items()):
        shards = [
            shard
            for name, shard in catalog.shards.items()
            if plan.kept.get(name) == reason and shard.kind == kind
        ]
        objects = {
            name: catalog.objects[name] for one in shards for name in one.objects if name in catalog.objects
        }
        total = sum(stored.size_bytes for stored in objects.values())
        yield f"keep: {reason}", kind, str(count), str(len(objects)), size(total)
    if plan.spared:
        total = sum(stored.size_bytes for stored in plan.spared)
        yield "keep: may be in use", "", "0", str(len(plan.spared)), size(total)


def _clips(plan: ClipsPlan) -> Iterator[Row]:
    if plan.sizes:
        yield REMOVE, "clips", "", str(len(plan.sizes)), size(sum(plan.sizes.values()))
    files: dict[str, dict[int, int]] = {}
    for reason, tree in plan.kept:
        files.setdefault(reason, {}).update(tree.files)
    for reason, found in sorted(files.items()):
        yield f"keep: {reason}", "clips", "", str(len(found)), size(sum(found.values()))


def _leftovers(leftovers: Iterable[Leftover]) -> Iterator[Row]:
    sizes: dict[str, list[int]] = {}
    for one in leftovers:
        sizes.setdefault(one.kind, []).append(one.size_bytes)
    for kind, found in sorted(sizes.items()):
        yield REMOVE, kind, "", str(len(found)), size(sum(found))


def size(size_bytes: float) -> str:
    """A size as text, such as `1.2 MB`."""
    for unit in UNITS[:-1]:
        if size_bytes < 1000:
            return f"{size_bytes:.1f} {unit}" if unit != "B" else f"{size_bytes:.0f} B"
        size_bytes /= 1000
    return f"{size_bytes:.1f} {UNITS[-1]}"


def _row(cache: Cache) -> tuple[str, ...]:
    wanted = "not known" if cache.wanted is None else f"{cache.wanted} shards"
    return cache.name, wanted, _held(cache.here, cache.wanted), _held(cache.store, cache.wanted)


def _held(held: Held | None, wanted: int | None) -> str:
    if held is None:
        return "no store"
    of = "" if wanted is None else f" of {wanted}"
    return f"{held.shards}{of}, {size(held.size_bytes)}"


def _print(console: Console, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console.print(table)


def _say(console: Console, text: str) -> None:
    console.print(printable(text), highlight=False, markup=False, soft_wrap=True)
