"""Golden video: checks that the installed FFmpeg and PyAV decode as those of the machine that trained.

`golden.mp4` travels in the wheel, not in bundles: what it tests is the installation, and bundles that exist
are tested too. It has 3 kB: H.264 with B-frames, each frame in three bands whose colours tell its number.
`python -m tests.golden_video` wrote it. SIMD kernels of swscale may round otherwise, hence a tolerance.
"""

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from reelflow.errors import BundleError, ClipError
from reelflow.video.decode import probe, sample_frames

VIDEO = Path(__file__).with_name("golden.mp4")
FRAMES, FPS, HEIGHT, WIDTH = 12, 25, 48, 64
TOLERANCE = 8  # grey levels; neighbouring frames differ by 15 and more in each channel
ADVICE = "install PyAV as `pip install reelflow` does, or do not use bundles here"


def golden_frames() -> NDArray[np.uint8]:
    """The frames of the golden video, `(frames, height, width, 3) uint8`."""
    levels = 30 + 15 * np.arange(FRAMES)
    colours = np.stack(
        [np.stack([levels, levels[::-1], np.roll(levels, 5)], axis=1)], axis=1
    )  # (frames, 1, 3)
    bands = np.concatenate([np.roll(colours, turn, axis=2) for turn in range(3)], axis=1)  # (frames, 3, 3)
    rows = np.repeat(bands, HEIGHT // 3, axis=1)  # (frames, height, 3)
    return np.repeat(rows[:, :, None], WIDTH, axis=2).astype(np.uint8)


def check_decoder() -> None:
    """Decode the golden video and compare frames, order and duration.

    Raises:
        BundleError: this device decodes otherwise, or its PyAV lacks what reelflow calls.
    """
    try:
        duration_s, found = probe(VIDEO).duration_s, sample_frames(VIDEO, FRAMES)
    except (AttributeError, ClipError, ImportError, TypeError) as error:
        raise BundleError(
            f"PyAV {av.__version__} does not decode the golden video ({error}): {ADVICE}"
        ) from error
    expected = golden_frames()
    if found.shape != expected.shape or abs(duration_s - FRAMES / FPS) > 0.001:
        raise BundleError(
            f"PyAV {av.__version__} finds {duration_s:.3f} s of {found.shape[2]} x {found.shape[1]} pixels "
            f"in the golden video, expected {FRAMES / FPS:.3f} s of {WIDTH} x {HEIGHT}: {ADVICE}"
        )
    centres = slice(HEIGHT // 6, None, HEIGHT // 3)  # of the bands: their borders are blurred
    difference = int(np.abs(found[:, centres].astype(int) - expected[:, centres]).max())
    if difference > TOLERANCE:
        raise BundleError(
            f"PyAV {av.__version__} shows the golden video {difference} levels off, "
            f"expected at most {TOLERANCE}: {ADVICE}"
        )
