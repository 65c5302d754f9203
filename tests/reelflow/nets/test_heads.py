"""What holds for every head."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from reelflow.errors import BundleError, ParamsError
from reelflow.nets.heads import HEADS, build_head, check_heads
from reelflow.nets.runtime import seed_everything
from reelflow.nets.saved import load_head, save_head
from reelflow.params import TrainingParams
from tests.fake_features import training_params

FRAMES, DIM, CLASSES = 5, 8, 3
FEATURES = np.random.default_rng(1).random((4, FRAMES, DIM), dtype=np.float32)


def build(name: str, **changes):
    seed_everything(1)
    return build_head(name, frames=FRAMES, dim=DIM, classes=CLASSES, params=training_params(**changes))


def by_name(model) -> dict[str, dict]:
    return {layer.name: layer.get_config() for layer in model.layers}


@pytest.mark.parametrize("name", HEADS)
def test_scores_are_probabilities(name):
    model = build(name)
    scores = model.predict_on_batch(FEATURES)
    assert model.input_shape == (None, FRAMES, DIM)
    assert scores.shape == (4, CLASSES)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    assert (scores >= 0).all()


@pytest.mark.parametrize("name", HEADS)
def test_the_same_seed_builds_the_same_head(name):
    first, second = build(name).predict_on_batch(FEATURES), build(name).predict_on_batch(FEATURES)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", HEADS)
def test_a_saved_head_scores_the_same_and_has_the_same_bytes_again(name, tmp_path):
    model = build(name)
    digest = save_head(model, tmp_path / "model.keras")
    loaded = load_head(tmp_path / "model.keras", sha256=digest)
    np.testing.assert_array_equal(loaded.predict_on_batch(FEATURES), model.predict_on_batch(FEATURES))
    assert save_head(build(name), tmp_path / "again.keras") == digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.keras", "model.keras"]


@pytest.mark.parametrize("name", HEADS)
def test_the_end_is_the_studys(name):
    layers = by_name(build(name))
    end = ["dense", "dense_norm", "leaky_relu", "dropout", "scores"]
    assert list(layers)[-5:] == end
    assert (layers["dense"]["units"], layers["dense"]["activation"]) == (512, "linear")
    assert layers["leaky_relu"]["negative_slope"] == pytest.approx(0.3)
    assert layers["dropout"]["rate"] == 0.5
    assert layers["scores"]["activation"] == "softmax"


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_recurrent_heads_have_as_many_units_as_dimensions(name):
    layers = by_name(build(name))
    assert list(layers)[:3] == ["features", name, f"{name}_norm"]
    assert layers[name]["units"] == DIM
    assert (layers[name]["dropout"], layers[name]["recurrent_dropout"]) == (0.5, 0)
    assert not layers[name]["return_sequences"]
    assert by_name(build(name, units=3))[name]["units"] == 3


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_recurrent_heads_depend_on_the_order_of_frames(name):
    model = build(name)
    forwards, backwards = model.predict_on_batch(FEATURES), model.predict_on_batch(FEATURES[:, ::-1])
    assert np.abs(forwards - backwards).max() > 1e-4


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_single_frame_sees_the_middle_frame_only(frames):
    model = build_head("single_frame", frames=frames, dim=DIM, classes=2, params=training_params())
    features = FEATURES[:, :frames].copy()
    scores = model.predict_on_batch(features)
    middle = frames // 2
    others = [place for place in range(frames) if place != middle]
    features[:, others] = 9
    np.testing.assert_array_equal(model.predict_on_batch(features), scores)
    features[:, middle] = 9
    assert np.abs(model.predict_on_batch(features) - scores).max() > 1e-4


def test_an_unknown_head_is_named_with_the_known_ones():
    with pytest.raises(ParamsError, match="unknown head gro; known heads are gru, lstm, single_frame"):
        check_heads(["gru", "gro"])
    with pytest.raises(ParamsError, match="unknown head gro"):
        build("gro")


def test_checking_names_does_not_import_tensorflow():
    code = (
        "import sys, components.training.step, components.evaluation.step;"
        "from reelflow.nets.heads import check_heads; check_heads(['gru']);"
        "print([name for name in ('keras', 'tensorflow', 'sklearn', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_file_other_than_the_reports_is_refused(tmp_path):
    save_head(build("single_frame"), tmp_path / "model.keras")
    with pytest.raises(BundleError, match="its report says"):
        load_head(tmp_path / "model.keras", sha256="0" * 64)


def test_files_that_are_no_model_are_refused(tmp_path):
    with pytest.raises(BundleError, match=r"model\.keras is missing"):
        load_head(tmp_path / "model.keras")
    (tmp_path / "text.keras").write_text("no model")
    with pytest.raises(BundleError, match="no Keras model"):
        load_head(tmp_path / "text.keras")
    digest = save_head(build("single_frame"), tmp_path / "model.keras")
    content = (tmp_path / "model.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(content[: len(content) // 2])
    with pytest.raises(BundleError, match="its report says"):
        load_head(tmp_path / "cut.keras", sha256=digest)
    with pytest.raises(BundleError, match="no Keras model"):
        load_head(tmp_path / "cut.keras")


def test_a_layer_alone_is_no_model(tmp_path):
    save_head(build("single_frame"), tmp_path / "model.keras")
    with (
        zipfile.ZipFile(tmp_path / "model.keras") as whole,
        zipfile.ZipFile(tmp_path / "l.keras", "w") as layer,
    ):
        for name in whole.namelist():
            config = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 1}}
            content = json.dumps(config | {"registered_name": None})
            layer.writestr(name, content if name == "config.json" else whole.read(name))
    with pytest.raises(BundleError, match="holds a Dense, expected a Keras model"):
        load_head(tmp_path / "l.keras")


def test_a_model_that_brings_code_is_refused(tmp_path):
    seed_everything(1)
    import keras

    ran = []
    features = keras.Input((2,))
    model = keras.Model(features, keras.layers.Lambda(lambda x: ran.append(1) or x)(features))
    model.save(tmp_path / "code.keras")
    ran.clear()
    with pytest.raises(BundleError, match="loaded safely"):
        load_head(tmp_path / "code.keras")
    assert not ran


def test_params_are_those_of_the_study_in_params_yaml(tmp_path):
    params = training_params()
    assert isinstance(params, TrainingParams)
    assert (params.input_dropout, params.dropout, params.leaky_slope) == (0.5, 0.5, 0.3)
