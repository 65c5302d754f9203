"""Garbage collection of the clips cache of this machine.

What is kept of a source stays whole or is fetched anew: its note goes before its files. A file that several
sources share stays as long as one of them does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.data.garbage import DAY_S, young_for
from pipelines.data.roots import Root
from reelflow.errors import disk_errors
from reelflow.sources.cache import ClipCache, Tree


@dataclass(frozen=True)
class ClipsPlan:
    """The files to remove, and the reason for each kept one.

    Attributes:
        trees: sources to be removed.
        files: to be removed after them.
        sizes: bytes of all removed files, by inode.
        kept: kept sources, each with the reason.
    """

    trees: tuple[Tree, ...]
    files: tuple[Path, ...]
    sizes: Mapping[int, int]
    kept: tuple[tuple[str, Tree], ...]


def plan_clips(cache: ClipCache, roots: Iterable[Root], older_than_days: float, now: float) -> ClipsPlan:
    """Mark what is needed.

    Args:
        cache: of this machine.
        roots: what needs clips.
        older_than_days: sources that a run has used since are kept: the run may still use them.
        now: seconds since the epoch.
    """
    limit = now - older_than_days * DAY_S
    needed = {key: root.name for root in reversed(list(roots)) for key in root.clips}
    young, trees = young_for(older_than_days), cache.trees()
    reasons = [(needed.get(tree.key) or (young if tree.used >= limit else ""), tree) for tree in trees]
    kept = tuple((reason, tree) for reason, tree in reasons if reason)
    gone = tuple(tree for reason, tree in reasons if not reason)
    stays = {inode for _, tree in kept for inode in tree.files}
    sizes = {inode: size for tree in gone for inode, size in tree.files.items() if inode not in stays}
    loose = [one for one in cache.files() if one[1].st_ino not in stays and one[1].st_mtime < limit]
    sizes |= {stat.st_ino: stat.st_size for _, stat in loose}
    return ClipsPlan(gone, tuple(path for path, _ in loose), sizes, kept)


def sweep_clips(cache: ClipCache, plan: ClipsPlan) -> int:
    """Carry out the plan; returns the number of removed files.

    Raises:
        StorageError: the disk refuses; run the same command again for the rest.
    """
    used_since = [tree for tree in plan.trees if not cache.remove(tree)]
    for path in plan.files:
        with disk_errors(path):
            path.unlink(missing_ok=True)
    return len(plan.sizes.keys() - {inode for tree in used_since for inode in tree.files})
