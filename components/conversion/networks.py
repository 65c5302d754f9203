"""The two networks of a bundle, as TFLite files."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from components.conversion.head import convert_head
from components.conversion.operators import MAX_OPERATORS, VIDEO_OPERATORS, check_operators
from reelflow.artifacts.clips import read_clips
from reelflow.artifacts.evaluations import Candidate
from reelflow.artifacts.frames import FrameStore
from reelflow.backbones.interface import Backbone
from reelflow.contracts import BackboneSpec
from reelflow.edge.bundle import BACKBONE, HEAD
from reelflow.files import write_bytes
from reelflow.nets.candidates import check_quantization
from reelflow.nets.saved import load_head
from reelflow.nets.video.design import is_video_network
from reelflow.params import ConversionParams
from reelflow.video.preprocess import preprocess
from reelflow.workers.stderr import silenced_stderr

BackboneQuantization = Literal["none", "uint8", "float32", "float16", "int8"]


def write_head(
    params: ConversionParams, candidate: Candidate, dataset: Path, frames: FrameStore, bundle: Path
) -> None:
    """Convert the trained head to `head.tflite`.

    Raises:
        BundleError: the model differs from the evaluated one, or cannot run on a device.
        ParamsError: this head cannot be computed in int8.
    """
    training = candidate.report.training
    check_quantization([training.head], params.head)
    model = load_head(candidate.model, sha256=candidate.report.model_sha256)
    clips = params.calibration_clips if params.head == "int8" else 0
    pixels = _calibration(training.backbone, dataset, frames, clips)
    # (clips * frames, height, width, channels) -> (clips, frames, dim)
    codes = pixels.reshape(-1, training.frames, training.backbone.dim)
    features = (clip * np.float32(training.backbone.scale) for clip in codes)
    with _quiet():
        network = convert_head(model, params.head, features)
    check_operators(network, HEAD, VIDEO_OPERATORS if is_video_network(training.head) else MAX_OPERATORS)
    write_bytes(bundle / HEAD, network)


def write_backbone(
    params: ConversionParams, backbone: Backbone, dataset: Path, frames: FrameStore, bundle: Path
) -> BackboneQuantization:
    """Convert the backbone to `backbone.tflite`, if it has a network; returns its quantisation.

    Raises:
        BundleError: the network cannot run on a device.
    """
    is_float = backbone.spec.dtype != "uint8"
    clips = params.calibration_clips if is_float and params.backbone == "int8" else 0
    calibration = _calibration(backbone.spec, dataset, frames, clips)
    with _quiet():
        network = backbone.to_tflite(params.backbone, calibration)
    if network is None:
        return "none"
    check_operators(network, BACKBONE)
    write_bytes(bundle / BACKBONE, network)
    return params.backbone if is_float else "uint8"


def _calibration(spec: BackboneSpec, dataset: Path, frames: FrameStore, clips: int) -> NDArray[np.uint8]:
    """Preprocessed frames `(n, height, width, channels)` of the first `clips` training clips by id."""
    how = spec.preprocessing
    ids = sorted(clip.clip_id for clip in read_clips(dataset) if clip.split == "train")
    chosen = [clip_id for clip_id in ids if clip_id in frames][:clips]
    none = np.empty((0, how.height, how.width, 3 if how.color == "rgb" else 1), np.uint8)
    return np.concatenate([none, *(preprocess(frames.read(clip_id), how) for clip_id in chosen)])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the output of TensorFlow's converters."""
    with contextlib.redirect_stdout(io.StringIO()), silenced_stderr():
        yield
