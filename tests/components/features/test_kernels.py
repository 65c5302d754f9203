"""Codes of a quantised network are marked with the kernels that compute them."""

from pathlib import Path
from typing import Any

import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from components.features.kernels import kernels_of
from components.features.shards import inputs_of
from reelflow.backbones.pixels import Pixels
from reelflow.backbones.registry import load_backbone
from reelflow.backbones.tflite import network as tflite
from reelflow.backbones.thumbnail import Thumbnail
from reelflow.contracts import FrameShard
from reelflow.settings import Settings

KINDS = {
    "xnnpack": {"num_threads": 1},
    "xnnpack, two threads": {"num_threads": 2},
    "litert": {"experimental_op_resolver_type": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES},
    "reference": {"experimental_op_resolver_type": OpResolverType.BUILTIN_REF},
}


@pytest.fixture(scope="module")
def marks(shared_data: Path) -> dict[str, str]:
    """What each kind of kernels is marked with."""

    def opened(**how: Any) -> Any:
        def open_network(network: bytes) -> Any:
            interpreter = Interpreter(model_content=network, **how)
            interpreter.allocate_tensors()
            return interpreter

        return open_network

    found = {}
    for kind, how in KINDS.items():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tflite, "open_network", opened(**how))
            weights = str(shared_data / "weights")
            network = load_backbone("mobilenet_v2_quant", weights, seed=1, settings=Settings())
            found[kind] = kernels_of(network)
    return found


def test_other_kernels_are_another_key_and_another_number_of_threads_is_not(marks):
    assert marks["xnnpack"] == marks["xnnpack, two threads"]
    assert len({marks["xnnpack"], marks["litert"], marks["reference"]}) == 3
    source = FrameShard(file="a.tar", sha256="0" * 64, size_bytes=1, index_sha256="0" * 64, clip_ids=())
    keys = {inputs_of(source, Thumbnail().spec, "plain", mark).key for mark in marks.values()}
    assert len(keys) == 3


def test_codes_without_a_network_are_the_same_everywhere():
    assert kernels_of(Thumbnail()) == ""
    assert kernels_of(Pixels("pixels")) == ""
