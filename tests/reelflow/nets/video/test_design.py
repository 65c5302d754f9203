"""Layers, parameters, strides and channels of the networks of study B."""

from dataclasses import replace

import numpy as np
import pytest

from reelflow.errors import ParamsError
from reelflow.nets.runtime import prepare
from reelflow.nets.video.design import NETWORKS, Design, chosen_design, is_video_network
from tests import fake_features as fake

DEPTHS = {"p3d_63": 63, "p3d_199": 199, "convlstm_c2d_63": 63, "convlstm_c2d_199": 199, "c2d_50": 50}
MILLIONS = {"p3d_63": 25.13, "p3d_199": 65.88, "convlstm_c2d_63": 57.64}  # at 101 classes
CLASSES = 101


def build(design: Design, *, frames: int = 16, side: int = 32):
    prepare()
    from reelflow.nets.video.network import build_network

    return build_network(design, name="n", frames=frames, side=side, classes=CLASSES, dropout=0.5)


def trained_values(model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def parameters(design: Design) -> int:
    """Counted from the definition: no biases in convolutions, two values a channel in every norm."""
    stem = int(64 * design.width)
    total, channels = 7 * 7 * 3 * stem + 2 * stem, stem
    for stage, blocks in enumerate(design.stages):
        inner = int(64 * 2**stage * design.width)
        for block in range(blocks):
            total += channels * inner + 9 * inner**2 + 4 * inner**2 + 2 * (inner + inner + 4 * inner)
            if stage < 3 and design.temporal == "conv":
                total += 3 * inner**2 + 2 * inner
            if stage < 3 and design.temporal == "conv_lstm":
                total += 2 * 9 * 4 * inner**2 + 4 * inner + 2 * inner
            if block == 0:
                total += channels * 4 * inner + 2 * 4 * inner
            channels = 4 * inner
    return total + channels * CLASSES + CLASSES


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_are_as_many_as_the_name_says(name):
    assert NETWORKS[name].depth == DEPTHS[name]
    assert is_video_network(name)


@pytest.mark.parametrize("name", MILLIONS)
def test_parameters_at_101_classes_are_the_published(name):
    assert parameters(NETWORKS[name]) / 1e6 == pytest.approx(MILLIONS[name], abs=0.005)


def test_sizes_in_float32_are_those_of_the_studies():
    """Study B: P3D-199 261 MB, ConvLSTM-C2D-63 236 MB; ADR 0015 says what it leaves open."""
    assert 4 * parameters(NETWORKS["p3d_199"]) / 1e6 == pytest.approx(261, rel=0.01)
    assert 4 * parameters(NETWORKS["convlstm_c2d_63"]) / 1e6 == pytest.approx(236, rel=0.025)


@pytest.mark.parametrize("temporal", ["conv", "conv_lstm", "none"])
def test_a_narrow_network_has_the_counted_parameters_and_layers(temporal):
    design = Design(temporal, (3, 4, 2, 2), width=1 / 32)
    model = build(design)
    assert trained_values(model) == parameters(design)
    blocks = [layer for layer in model.layers if hasattr(layer, "convs")]
    within = sum(name != "shortcut" for block in blocks for name in block.convs)
    assert within + 2 == design.depth  # conv1 and scores
    norms = sum(len(block.norms) for block in blocks) + 1
    assert sum(weight.name == "moving_mean" for weight in model.non_trainable_weights) == norms
    biases = [weight.path for weight in model.weights if weight.name == "bias"]
    assert all(path.startswith("scores/") or "/time/" in path for path in biases)
    assert any("/time/" in path for path in biases) == (temporal == "conv_lstm")


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_the_study_has_the_counted_parameters(name):
    found = trained_values(build(NETWORKS[name], side=160))
    assert found == parameters(NETWORKS[name])
    assert name not in MILLIONS or found / 1e6 == pytest.approx(MILLIONS[name], abs=0.005)


@pytest.mark.parametrize("stages", [(3, 4, 2, 2), (1, 1, 1, 1), (2, 5, 1, 3)])
def test_forms_strides_and_frames_of_the_blocks(stages):
    """A, B, C over all blocks, counted on from stage to stage; 16 frames: 8, 4, 2, and 1 in 2D."""
    model = build(Design("conv", stages, width=1 / 64))
    blocks = [layer for layer in model.layers if hasattr(layer, "convs")]
    assert "".join(block.form for block in blocks) == ("ABC" * 9)[: len(blocks)]
    places = [(stage, place) for stage, count in enumerate(stages) for place in range(count)]
    for block, (stage, place) in zip(blocks, places, strict=True):
        stride = 2 if stage and place == 0 else 1
        assert block.name == f"conv{stage + 2}_{place + 1}"
        assert block.frames == (8, 4, 2, 1)[stage]
        assert block.temporal == ("none" if stage == 3 else "conv")
        assert block.convs["reduce"].strides == (stride, stride)
        assert block.convs["spatial"].strides == block.convs["expand"].strides == (1, 1)
        assert ("shortcut" in block.convs) == (place == 0)
        if place == 0:
            assert block.convs["shortcut"].strides == (stride, stride)
        assert block.output.shape[1] == (8, 4, 2, 1)[stage]  # of a side of 32


@pytest.mark.parametrize(
    ("frames", "left"), [(16, (8, 4, 2, 1)), (17, (9, 5, 3, 2)), (1, (1,) * 4), (3, (2, 1, 1, 1))]
)
def test_frames_of_the_stages(frames, left):
    model = build(Design("conv", (1, 1, 1, 1), width=1 / 64), frames=frames)
    assert tuple(model.get_layer(f"conv{stage}_1").frames for stage in (2, 3, 4, 5)) == left


def test_without_time_every_frame_is_kept():
    model = build(Design("none", (1, 1, 1, 1), width=1 / 64))
    assert {model.get_layer(f"conv{stage}_1").frames for stage in (2, 3, 4, 5)} == {16}


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (1, (64, 64, 128, 256, 512)),
        (0.5, (32, 32, 64, 128, 256)),
        (1 / 64, (1, 1, 2, 4, 8)),
        (2, (128, 128, 256, 512, 1024)),
    ],
)
def test_width_multiplies_every_channel(width, expected):
    design = replace(NETWORKS["p3d_63"], width=width)
    assert tuple(design.channels(full) for full in (64, 64, 128, 256, 512)) == expected
    if width < 0.1:
        model = build(replace(design, stages=(1, 1, 1, 1)))
        assert model.get_layer("conv1").filters == expected[0]
        assert tuple(model.get_layer(f"conv{stage}_1").filters for stage in (2, 3, 4, 5)) == expected[1:]


def test_a_width_that_leaves_no_channel_is_refused():
    with pytest.raises(
        ParamsError, match=r"width is 0\.01, which leaves no channel of 64: .*at least 0\.015625"
    ):
        chosen_design("p3d_63", fake.training_params(video={"width": 0.01}).video)
    with pytest.raises(ParamsError, match="leaves no channel"):
        build(replace(NETWORKS["p3d_63"], width=0.01))


def test_params_choose_width_stages_and_recomputing():
    assert chosen_design("p3d_199", fake.training_params().video) == NETWORKS["p3d_199"]
    changed = {"width": 0.25, "stages": (1, 2, 1, 1), "recompute": True}
    chosen = chosen_design("convlstm_c2d_63", fake.training_params(video=changed).video)
    assert chosen == Design("conv_lstm", (1, 2, 1, 1), width=0.25, recompute=True)


def test_other_heads_are_no_video_networks():
    assert not is_video_network("gru")
