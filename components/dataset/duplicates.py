"""Duplicate clips: within a class one is kept; in two classes they contradict each other."""

from collections.abc import Mapping

from components.dataset.probing import Probed
from components.dataset.source.clips import FoundClip
from reelflow.contracts import Rejected
from reelflow.errors import DataError


def drop_duplicates(usable: Mapping[FoundClip, Probed]) -> tuple[dict[FoundClip, Probed], list[Rejected]]:
    """Keep the first clip of each content.

    Returns:
        The clips that are kept and the clips that are dropped.

    Raises:
        DataError: two classes hold the same clip.
    """
    first: dict[str, FoundClip] = {}
    kept: dict[FoundClip, Probed] = {}
    dropped: list[Rejected] = []
    contradictions: list[str] = []
    for clip, probed in usable.items():
        twin = first.setdefault(probed.sha256, clip)
        if twin is clip:
            kept[clip] = probed
        elif twin.label == clip.label:
            dropped.append(Rejected(path=clip.path, reason=f"same content as {twin.path}"))
        else:
            contradictions.append(f"  {twin.path} ({twin.label}) and {clip.path} ({clip.label})")
    if contradictions:
        raise DataError(
            f"{len(contradictions)} clip(s) are in two classes; remove one of each pair:\n"
            + _first(contradictions)
        )
    return kept, dropped


def _first(lines: list[str], limit: int = 20) -> str:
    more = [f"  and {len(lines) - limit} more"] if len(lines) > limit else []
    return "\n".join(lines[:limit] + more)
