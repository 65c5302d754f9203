"""The memory that training takes, counted before it starts."""

import math
import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks.video_networks.memory import counted
from reelflow.errors import ParamsError
from reelflow.nets.heads import build_head
from reelflow.nets.video.design import NETWORKS, chosen_design
from reelflow.nets.video.memory import _blocks, check_fits, footprint, parameters
from tests import fake_features as fake

GB = 10**9
SIZE = {"frames": 16, "side": 160, "classes": 101}


@pytest.mark.parametrize("head", ["p3d_63", "convlstm_c2d_63", "c2d_50"])
def test_blocks_and_parameters_are_those_of_the_network(head):
    params = fake.training_params(video={"width": 0.05})
    design, side, frames = chosen_design(head, params.video), 39, 7
    network = build_head(head, frames=frames, dim=side * side * 3, classes=5, params=params)
    assert parameters(design, 5) == sum(variable.numpy().size for variable in network.weights)
    layers = [layer for layer in network.layers if type(layer).__name__ == "Bottleneck"]
    for layer, block in zip(layers, _blocks(design, frames, side), strict=True):
        assert block.before == layer.frames * math.prod(layer.input.shape[1:])
        assert block.places * block.outer == layer.frames * math.prod(layer.output.shape[1:])


def test_less_precision_and_recomputed_blocks_take_less():
    design, params = NETWORKS["p3d_63"], fake.training_params()
    whole = footprint(design, params, **SIZE).of(48)
    half = footprint(design, params.model_copy(update={"precision": "mixed_bfloat16"}), **SIZE).of(48)
    again = footprint(replace(design, recompute=True), params, **SIZE).of(48)
    assert half < 0.6 * whole
    assert again < 0.75 * whole


def test_the_largest_batch_is_the_one_that_still_fits():
    found = footprint(NETWORKS["p3d_199"], fake.training_params(), **SIZE)
    most = found.most_clips(24 * GB)
    assert found.of(most) <= 24 * GB < found.of(most + 1)
    assert found.most_clips(found.fixed - 1) == 0


def test_a_batch_that_does_not_fit_is_said_with_values_that_do():
    design, params = NETWORKS["p3d_63"], fake.training_params(optimizer="rmsprop")
    with pytest.raises(ParamsError) as raised:
        check_fits(design, params, **SIZE, batch=48, free=8 * GB)
    message = str(raised.value)
    assert "a step on 48 clips of 16 frames of 160x160 needs about 18" in message
    assert "8.0 GB are free: set training.batch_size to " in message
    batch = int(message.partition("training.batch_size to ")[2].partition(",")[0])
    check_fits(design, params, **SIZE, batch=batch, free=8 * GB)
    more = int(message.partition("to true with training.batch_size ")[2].partition(",")[0])
    assert more > batch
    check_fits(replace(design, recompute=True), params, **SIZE, batch=more, free=8 * GB)
    side = int(message.partition("pixels_")[2])
    check_fits(design, params, **SIZE | {"side": side}, batch=48, free=8 * GB)


def test_a_network_that_fits_with_no_batch_is_said():
    with pytest.raises(ParamsError, match=r"0\.5 GB are free: train it where more is free, or a narrower"):
        check_fits(NETWORKS["p3d_199"], fake.training_params(), **SIZE, batch=1, free=GB // 2)


@pytest.mark.slow
@pytest.mark.parametrize("head", ["p3d_63", "convlstm_c2d_63"])
def test_the_count_is_what_a_training_process_takes(head):
    case = [head, "64", "8", "kept"]
    command = [sys.executable, "-m", "benchmarks.video_networks.memory", *case]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert counted(head, 64, "kept").of(8) == pytest.approx(int(done.stdout), rel=0.2)
