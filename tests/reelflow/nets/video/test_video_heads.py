"""What holds for every head holds for the networks over pixels; files of theirs, and what is refused."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from reelflow.errors import BundleError, ParamsError
from reelflow.nets.heads import HEAD_NAMES, HEADS, build_head, check_heads, is_linear, sees_side_by_side
from reelflow.nets.runtime import reseed, seed_everything
from reelflow.nets.saved import load_head, save_head
from reelflow.nets.video.design import NETWORKS
from tests.fake_features import training_params
from tests.reelflow.nets.video.weights import randomise
from tests.slowly import slow

FRAMES, SIDE, CLASSES = 4, 16, 3
DIM = SIDE * SIDE * 3
PIXELS = np.random.default_rng(1).random((4, FRAMES, DIM), dtype=np.float32)
DIFFERENT = ("p3d_63", "convlstm_c2d_63", "c2d_50")  # the others are deeper
NARROW = {"width": 1 / 32, "stages": (1, 1, 1, 1)}


def build(name: str, *, frames: int = FRAMES, dim: int = DIM, video=NARROW, **changes):
    seed_everything(1)
    params = training_params(video=video, **changes)
    return build_head(name, frames=frames, dim=dim, classes=CLASSES, params=params)


def scores_of(model, pixels=PIXELS):
    return model(pixels, training=False).numpy()


@pytest.mark.parametrize("name", NETWORKS)
def test_scores_are_probabilities(name):
    model = build(name)
    scores = scores_of(model)
    assert model.name == name
    assert model.input_shape == (None, FRAMES, DIM)
    assert scores.shape == (4, CLASSES)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    assert (scores >= 0).all()


@pytest.mark.parametrize("name", DIFFERENT)
def test_the_same_seed_builds_the_same_network(name):
    np.testing.assert_array_equal(scores_of(build(name)), scores_of(build(name)))


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_saved_network_scores_the_same_and_has_the_same_bytes_again(name, tmp_path):
    model = build(name)
    randomise(model)
    digest = save_head(model, tmp_path / "model.keras")
    loaded = load_head(tmp_path / "model.keras", sha256=digest)
    np.testing.assert_array_equal(scores_of(loaded), scores_of(model))
    assert {weight.path: weight.numpy().tolist() for weight in loaded.weights} == {
        weight.path: weight.numpy().tolist() for weight in model.weights
    }
    same = build(name)
    randomise(same)
    assert save_head(same, tmp_path / "again.keras") == digest
    assert save_head(loaded, tmp_path / "loaded.keras") == digest


@pytest.mark.parametrize("recompute", [slow(False), True])
def test_every_choice_comes_back_from_a_file(recompute, tmp_path):
    model = build("p3d_63", video={"width": 1 / 32, "stages": (3, 1, 1, 1), "recompute": recompute})
    save_head(model, tmp_path / "model.keras")
    blocks = [layer for layer in load_head(tmp_path / "model.keras").layers if hasattr(layer, "convs")]
    assert [block.form for block in blocks] == list("ABCABC")
    assert [block.stride for block in blocks] == [1, 1, 1, 2, 2, 2]
    assert {block.recompute for block in blocks} == {recompute}
    assert [layer.get_config() for layer in model.layers if hasattr(layer, "convs")] == [
        block.get_config() for block in blocks
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["p3d_63", "convlstm_c2d_63"])
def test_a_whole_network_comes_back(name, tmp_path):
    model = build(name, video={"width": 1 / 16})
    digest = save_head(model, tmp_path / "model.keras")
    np.testing.assert_array_equal(scores_of(load_head(tmp_path / "model.keras")), scores_of(model))
    assert save_head(build(name, video={"width": 1 / 16}), tmp_path / "again.keras") == digest


@pytest.mark.parametrize("frames", [1, slow(3), slow(26)])
@pytest.mark.parametrize("name", DIFFERENT)
def test_any_number_of_frames_will_do(name, frames):
    pixels = np.random.default_rng(2).random((2, frames, 8 * 8 * 3), dtype=np.float32)
    model = build(name, frames=frames, dim=8 * 8 * 3)
    for value in (pixels, np.zeros_like(pixels)):
        assert np.isfinite(scores_of(model, value)).all()


@pytest.mark.parametrize("name", DIFFERENT)
def test_dropout_depends_on_the_seed_alone(name):
    model = build(name, dropout=0.5)

    def drop(*seed):
        reseed(model, *seed)
        return model(PIXELS, training=True).numpy()

    first = drop(1, 2)
    assert np.abs(first - drop(1, 3)).max() > 1e-4
    np.testing.assert_array_equal(first, drop(1, 2))


@pytest.mark.parametrize("dim", [DIM + 3, 2 * DIM, 512, 3 * 15 * 17, DIM - 1])
def test_features_that_are_no_square_picture_are_refused(dim):
    message = f"p3d_63 sees square colour pictures, but its features have {dim} dimensions a frame: set feat"
    with pytest.raises(ParamsError, match=message):
        build("p3d_63", dim=dim)


def test_views_side_by_side_are_refused():
    params = training_params(video=NARROW)
    with pytest.raises(
        ParamsError, match=rf"have {3 * DIM} dimensions .* training\.views to sample or average"
    ):
        build_head("p3d_63", frames=2, dim=DIM, classes=2, params=params, views=3)


def test_a_width_without_channels_is_refused():
    with pytest.raises(ParamsError, match=r"training\.video\.width is 0\.001, which leaves no channel"):
        build("p3d_63", video={"width": 0.001})


def test_the_registry_knows_the_networks():
    check_heads(NETWORKS)
    assert (*HEADS, *NETWORKS) == HEAD_NAMES
    assert not HEADS.keys() & NETWORKS.keys()
    with pytest.raises(ParamsError, match=r"unknown head p3d_64; known heads are .*p3d_63, p3d_199"):
        build("p3d_64")
    for name in NETWORKS:
        assert not is_linear(name)
        assert not sees_side_by_side(name, training_params())


def test_motion_does_not_change_a_network_over_pixels():
    np.testing.assert_array_equal(scores_of(build("p3d_63", motion=True)), scores_of(build("p3d_63")))


def test_naming_networks_does_not_import_tensorflow():
    code = (
        "import sys; from reelflow.nets.candidates import candidates;"
        "from reelflow.nets.heads import check_heads; check_heads(['p3d_199']);"
        "print([name for name in ('keras', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("head") / "model.keras"
    save_head(build("p3d_63"), path)
    return path


def altered(whole, target, change):
    """The file with `change` made to the config of its second block."""
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(target, "w") as result:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                config = json.loads(content)
                blocks = [
                    layer for layer in config["config"]["layers"] if layer["class_name"] == "Bottleneck"
                ]
                change(blocks[1])
                content = json.dumps(config)
            result.writestr(name, content)
    return target


CHANGES = {
    "a layer of another package": {
        "registered_name": "other>Block",
        "module": "other",
        "class_name": "Block",
    },
    "a function of Python": {"registered_name": None, "module": "os", "class_name": "system"},
    "an unregistered class of ours": {
        "registered_name": "reelflow>Thing",
        "module": "reelflow.nets.video.bottleneck",
        "class_name": "Thing",
    },
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_foreign_layer_is_refused(whole, tmp_path, change):
    path = altered(whole, tmp_path / "model.keras", lambda layer: layer.update(change))
    with pytest.raises(BundleError, match="no Keras model that can be loaded safely"):
        load_head(path)


VALUES = {
    "filters": [0, -1, "x", None],
    "frames": [0, "x"],
    "form": ["Z", None],
    "temporal": ["lambda", None],
    "stride": [0, "x"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in VALUES for value in VALUES[name]])
def test_a_block_with_wrong_values_is_refused(whole, tmp_path, name, value):
    path = altered(whole, tmp_path / "model.keras", lambda layer: layer["config"].update({name: value}))
    with pytest.raises(BundleError, match="no Keras model that can be loaded safely"):
        load_head(path)
