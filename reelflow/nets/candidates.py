"""What a run trains and evaluates, and chooses the best of."""

from collections.abc import Iterable

from reelflow.errors import ParamsError
from reelflow.nets.video.design import NETWORKS, chosen_design, is_video_network
from reelflow.params import PIXELS, Params
from reelflow.video.views import TILES

TILED = frozenset({"tile_linear"})
"""Heads that need parts of the picture."""
MOST = 16
"""Candidates in a run: KFP's tasks take a fixed number of inputs (docs/adr/0002)."""


def candidates(params: Params) -> list[tuple[str, str]]:
    """Every (backbone, head) that is trained.

    Networks over pixels go with the backbones that give pixels, and only with them; heads of parts of the
    picture with backbones that have parts.

    Raises:
        ParamsError: there is none, there are too many, or one cannot be built or converted as asked for.
    """
    features, heads = params.features, params.training.heads
    check_quantization(heads, params.conversion.head)
    tiles = TILES.keys() & set(features.views)
    found = [
        (backbone, head)
        for backbone in features.backbones
        for head in heads
        if _go_together(backbone, head) and (head not in TILED or tiles or features.has_windows(backbone))
    ]
    if not found:
        raise ParamsError(
            f"no head of {', '.join(heads)} goes with a backbone of {', '.join(features.backbones)}: "
            f"{', '.join(NETWORKS)} go with pixels, and only with them; {', '.join(sorted(TILED))} needs "
            "tiles in features.views, or a network with windows in features.networks"
        )
    if len(found) > MOST:
        raise ParamsError(
            f"{len(features.backbones)} backbones and {len(heads)} heads make {len(found)} classifiers; a "
            f"run compares at most {MOST}: remove backbones or heads"
        )
    for _, head in found:
        _check_network(head, params)
    return found


def check_pair(backbone: str, head: str) -> None:
    """See that a network over pixels gets pixels, and that no other head does.

    Raises:
        ParamsError: they do not go together.
    """
    if not _go_together(backbone, head):
        raise ParamsError(
            f"{head} does not go with {backbone}: {', '.join(NETWORKS)} go with pixels, and only with them; "
            "choose other heads, or other features.backbones"
        )


def _go_together(backbone: str, head: str) -> bool:
    return is_video_network(head) == (PIXELS.fullmatch(backbone) is not None)


def _check_network(head: str, params: Params) -> None:
    """Refuse what the training would refuse after all frames and features are made."""
    if not is_video_network(head):
        return
    chosen_design(head, params.training.video)
    if params.training.views == "beside" and len(params.features.views) > 1:
        raise ParamsError(
            f"training.views is beside, and {head} sees one picture at a time: set it to sample or average"
        )


def check_quantization(heads: Iterable[str], quantization: str) -> None:
    """Check that heads can be converted (docs/adr/0013-int8-recurrent-heads.md).

    Raises:
        ParamsError: one cannot be computed in int8.
    """
    refused = [head for head in heads if not is_video_network(head)]
    if quantization == "int8" and refused:
        raise ParamsError(
            f"conversion.head is int8, which {', '.join(refused)} does not allow: set it to dynamic, or "
            f"train only heads of {', '.join(NETWORKS)}"
        )


def name_of(backbone: str, head: str) -> str:
    """The name of a candidate: `<backbone>-<head>`."""
    return f"{backbone}-{head}"


def names(params: Params) -> str:
    """All candidates by name, comma-separated.

    Raises:
        ParamsError: there is none.
    """
    return ",".join(name_of(*pair) for pair in candidates(params))
