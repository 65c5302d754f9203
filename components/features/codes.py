"""Codes of a clip's frames, and their files. A shard's key covers what this file imports."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from reelflow.artifacts.frames import FrameStore
from reelflow.backbones.interface import Backbone, Codes
from reelflow.files import array_file
from reelflow.video.preprocess import preprocess
from reelflow.video.views import VIEWS, offset_of


def embed(store: FrameStore, network: Backbone, views: Sequence[str], clip_id: str) -> Codes:
    """Codes of one clip, `(views, frames, dim)`; each frame is decoded once, one at a time."""
    ready: dict[str, list[NDArray[np.uint8]]] = {view: [] for view in views}
    for offset in {offset_of(view) for view in views}:
        for frame in store.each(clip_id, offset):
            for view in (view for view in views if offset_of(view) == offset):
                seen = VIEWS[view](frame[None])  # (height, width, 3) -> (1, height, width, 3)
                ready[view].append(preprocess(seen, network.spec.preprocessing))
    codes: Codes = np.empty((len(views), store.report.count, network.spec.dim), network.spec.dtype)
    for place, view in enumerate(views):
        codes[place] = network.embed(np.concatenate(ready[view]))
    return codes


def write_codes(
    paths: Sequence[Path], codes: Iterable[Codes], shape: tuple[int, int, int], dtype: DTypeLike
) -> None:
    """Write each view to a separate `.npy` file.

    Args:
        paths: of the files, one per view.
        codes: of each clip, in order, `(views, frames, dim)`.
        shape: of a file, `(clips, frames, dim)`.
        dtype: of a file.

    Raises:
        StorageError: the disk is full or read-only.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(array_file(path, shape, dtype)) for path in paths]
        for _, clip in zip(range(shape[0]), codes, strict=True):
            for file, view in zip(files, clip, strict=True):
                file.write(view.tobytes())
