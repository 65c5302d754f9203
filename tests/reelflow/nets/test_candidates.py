"""Which heads go with which backbones."""

from pathlib import Path

import pytest

from reelflow.errors import ParamsError
from reelflow.nets.candidates import candidates, names
from reelflow.nets.video.design import NETWORKS
from reelflow.params import load_params


def params_of(backbones: list[str], heads: list[str], *, training=None, **features):
    params = load_params(Path("params.yaml"))
    return params.with_values(
        features={"backbones": backbones, **features}, training={"heads": heads, **(training or {})}
    )


@pytest.mark.parametrize("pixels", ["pixels", "pixels_64"])
def test_networks_over_pixels_go_with_pixels_alone(pixels):
    found = candidates(params_of([pixels, "thumbnail"], ["gru", "p3d_63", "convlstm_c2d_63"]))
    assert found == [(pixels, "p3d_63"), (pixels, "convlstm_c2d_63"), ("thumbnail", "gru")]


def test_every_network_goes_with_every_size_of_pixels():
    found = candidates(params_of(["pixels", "pixels_64"], list(NETWORKS)))
    assert len(found) == 2 * len(NETWORKS)


def test_names_are_of_backbone_and_head():
    assert names(params_of(["pixels"], ["p3d_63", "c2d_50"])) == "pixels-p3d_63,pixels-c2d_50"


@pytest.mark.parametrize(
    ("backbones", "heads"),
    [(["pixels"], ["gru", "segment_linear"]), (["thumbnail"], ["p3d_63"]), (["thumbnail"], list(NETWORKS))],
)
def test_backbones_and_heads_that_never_go_together_are_refused(backbones, heads):
    params = params_of(backbones, heads)
    with pytest.raises(
        ParamsError, match=rf"no head of .*{heads[0]}.* goes with a backbone of {backbones[0]}: "
    ):
        candidates(params)


def test_parts_of_the_picture_are_nothing_for_pixels():
    with pytest.raises(ParamsError, match="no head of tile_linear goes with a backbone of pixels"):
        candidates(params_of(["pixels"], ["tile_linear"]))


def test_too_many_are_refused():
    sizes = ["pixels", "pixels_32", "pixels_64", "pixels_96"]
    with pytest.raises(
        ParamsError, match="4 backbones and 5 heads make 20 classifiers; a run compares at most 16"
    ):
        candidates(params_of(sizes, list(NETWORKS)))


def test_a_width_without_channels_is_refused_before_anything_runs():
    video = {"width": 0.001, "stages": None, "recompute": False, "inflate": None}
    with pytest.raises(ParamsError, match=r"width is 0\.001, which leaves no channel of 64"):
        candidates(params_of(["pixels"], ["p3d_63"], training={"video": video}))
    assert candidates(params_of(["thumbnail"], ["gru"], training={"video": video}))


def test_networks_over_pixels_see_no_views_side_by_side():
    beside = {"training": {"views": "beside"}, "views": ["plain", "flip"]}
    with pytest.raises(ParamsError, match="views is beside, and p3d_63 sees one picture at a time"):
        candidates(params_of(["thumbnail", "pixels"], ["gru", "p3d_63"], **beside))
    assert candidates(params_of(["thumbnail"], ["gru"], **beside))
