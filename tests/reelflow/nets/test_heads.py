"""What holds for every head."""

import json
import subprocess
import sys
import zipfile
from itertools import product

import numpy as np
import pytest

from reelflow.errors import BundleError, ParamsError
from reelflow.nets.heads import HEADS, build_head, check_heads, is_linear
from reelflow.nets.runtime import reseed, seed_everything
from reelflow.nets.saved import load_head, save_head
from reelflow.params import TrainingParams
from tests.fake_features import training_params
from tests.slowly import slow, slow_but

FRAMES, DIM, CLASSES = 5, 8, 3
TRAINED = [name for name in HEADS if not is_linear(name)]
ALL_SLOWLY = slow_but(TRAINED, "gru")
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


@pytest.mark.parametrize("name", slow_but(HEADS, "gru"))  # below, files of two have the same bytes
def test_the_same_seed_builds_the_same_head(name):
    first, second = build(name).predict_on_batch(FEATURES), build(name).predict_on_batch(FEATURES)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("name", "motion"),
    slow_but(product(HEADS, [False, True]), ("gru", True), *((name, False) for name in HEADS)),
)
def test_a_saved_head_scores_the_same_and_has_the_same_bytes_again(name, motion, tmp_path):
    model = build(name, motion=motion)
    digest = save_head(model, tmp_path / "model.keras")
    loaded = load_head(tmp_path / "model.keras", sha256=digest)
    np.testing.assert_array_equal(loaded.predict_on_batch(FEATURES), model.predict_on_batch(FEATURES))
    assert save_head(build(name, motion=motion), tmp_path / "again.keras") == digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.keras", "model.keras"]


@pytest.mark.parametrize("frames", [slow(1), slow(3), 26])
@pytest.mark.parametrize(("motion", "views"), [(True, 1), (False, 3)])
@pytest.mark.parametrize("name", HEADS)
def test_any_number_of_frames_will_do(name, motion, views, frames):
    params = training_params(motion=motion, segments=4)
    model = build_head(name, frames=frames, dim=3, classes=2, params=params, views=views)
    features = np.random.default_rng(2).random((3, frames, views * 3), dtype=np.float32)
    for value in (features, np.zeros_like(features)):
        assert np.isfinite(model(value, training=False).numpy()).all()


@pytest.mark.parametrize("name", TRAINED)
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


@pytest.mark.parametrize("name", ALL_SLOWLY)
def test_a_head_learns_and_depends_on_the_order_of_frames(name):
    """Two classes: a ramp upwards and the same ramp downwards; with motion one frame tells as well."""
    motion = name == "single_frame"
    model = build(name, motion=motion, units=8, dense_units=32, input_dropout=0.1, dropout=0.1)
    chance = np.random.default_rng(3)
    ramp = np.linspace(-1, 1, FRAMES, dtype=np.float32)[:, None] * np.ones(DIM, np.float32)
    truth = np.arange(64) % 2
    features = ramp * (1 - 2 * truth)[:, None, None] + chance.normal(0, 0.3, (64, FRAMES, DIM))
    import keras

    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", jit_compile=False)
    for _ in range(50):
        model.train_on_batch(features, truth)
    assert (model.predict_on_batch(features).argmax(axis=1) == truth).mean() > 0.95


@pytest.mark.parametrize("name", TRAINED)
def test_dropout_depends_on_the_seed_alone(name):
    """Of every generator, also those of layers in layers; a bidirectional GRU holds two."""
    model = build(name, units=8)

    def drop(*seed):
        reseed(model, *seed)
        return model(FEATURES, training=True).numpy()

    first = drop(1, 2)
    assert np.abs(first - drop(1, 3)).max() > 1e-4
    np.testing.assert_array_equal(first, drop(1, 2))
    states = [variable for variable in model.variables if "seed_generator_state" in variable.path]
    assert len(states) == {"single_frame": 1, "bigru": 3}.get(name, 2)
    assert len({tuple(state.numpy()) for state in states}) == len(states)


@pytest.mark.parametrize("name", ["gru", "single_frame", "tcn"])
def test_motion_is_the_difference_to_the_frame_before(name):
    """A head with motion says of features what one without says of features and differences."""
    with_motion = build(name, motion=True, units=4)
    change = np.diff(FEATURES, axis=1, prepend=FEATURES[:, :1])
    wide = build_head(
        name, frames=FRAMES, dim=2 * DIM, classes=CLASSES, params=training_params(motion=False, units=4)
    )
    wide.set_weights(with_motion.get_weights())
    np.testing.assert_allclose(
        with_motion.predict_on_batch(FEATURES),
        wide.predict_on_batch(np.concatenate([FEATURES, change], axis=-1)),
        atol=1e-6,
    )


def test_of_views_side_by_side_the_largest_change_counts():
    import keras

    params = training_params(motion=True, units=4)
    model = build_head("gru", frames=FRAMES, dim=DIM, classes=2, params=params, views=3)
    seen = keras.Model(model.input, model.get_layer("change_norm").input)
    views = np.random.default_rng(6).random((3, 4, FRAMES, DIM), dtype=np.float32)
    found = seen(np.concatenate(views, axis=-1)).numpy()
    change = np.abs(np.diff(np.sqrt(views), axis=2, prepend=np.sqrt(views[:, :, :1])))
    np.testing.assert_allclose(found, change.max(axis=0), atol=1e-6)
    assert model.get_layer("gru").units == 4


def test_the_parts_of_the_picture_that_change_most_count_most():
    import keras

    parts = np.random.default_rng(8).random((3, 4, FRAMES, DIM), dtype=np.float32)  # (views, clips, ...)
    parts[:, 0] = parts[0, 0, :1]  # nothing moves
    model = build_head("tile_linear", frames=FRAMES, dim=DIM, classes=2, params=training_params(), views=3)
    found = keras.Model(model.input, model.get_layer("summary").output)(np.concatenate(parts, axis=-1))

    roots = np.sqrt(parts)
    change = np.abs(np.diff(roots, axis=2, prepend=roots[:, :, :1])).mean(axis=2)  # (views, clips, dim)
    share = (change.mean(axis=-1, keepdims=True) + 1e-6) ** 4
    np.testing.assert_allclose(found, (change * share).sum(axis=0) / share.sum(axis=0), atol=1e-6)
    assert not np.asarray(found)[0].any()


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("segments", [1, 3, 4, 9])
def test_a_linear_head_sees_segments_and_changes(segments, centered):
    import keras

    frames, views = 6, 2
    params = training_params(segments=segments, centered=centered)
    model = build_head("segment_linear", frames=frames, dim=DIM, classes=2, params=params, views=views)
    features = np.random.default_rng(7).normal(size=(4, views, frames, DIM)).astype(np.float32)
    side_by_side = np.concatenate(np.moveaxis(features, 1, 0), axis=-1)  # (4, frames, views * dim)
    found = keras.Model(model.input, model.get_layer("summary").output)(side_by_side).numpy()

    roots = np.sign(features) * np.sqrt(np.abs(features))
    change = np.abs(np.diff(roots, axis=2, prepend=roots[:, :, :1]))
    if centered:
        roots -= roots.mean(axis=2, keepdims=True)

    def means(values):  # every frame stands for `segments` moments, every segment for `frames`
        moments = np.repeat(values, segments, axis=2)
        return np.stack([part.mean(axis=2) for part in np.split(moments, segments, axis=2)], axis=2)

    expected = np.concatenate([means(roots).mean(axis=1), means(change).max(axis=1)], axis=-1)
    np.testing.assert_allclose(found, expected.reshape(4, -1), atol=1e-5)


def test_motion_makes_no_more_units():
    for name, units in {"gru": DIM, "lstm": DIM, "bigru": DIM // 2}.items():
        model = build(name, motion=True)
        layer = model.get_layer(name)
        assert (layer.forward_layer if name == "bigru" else layer).units == units


@pytest.mark.parametrize("name", ["bigru", "attention", "tcn"])
def test_units_set_the_width_of_the_summary(name):
    assert build(name, units=12).get_layer("dense").input.shape == (None, 24 if name == "bigru" else 12)
    wide = {"bigru": DIM, "attention": 128, "tcn": 128}[name]
    assert build(name).get_layer("dense").input.shape == (None, wide)


def test_attention_masks_frames_of_zeros():
    model = build("attention", units=8)
    padded = FEATURES.copy()
    padded[:, 3:] = 0
    attended = model.get_layer("attention_norm").output
    import keras

    inner = keras.Model(model.input, attended)
    longer, shorter = padded.copy(), padded.copy()
    longer[:, 4] = 1  # one more frame is present
    np.testing.assert_array_equal(inner(shorter).numpy()[:, :3], inner(padded).numpy()[:, :3])
    assert np.abs(inner(longer).numpy()[:, :3] - inner(padded).numpy()[:, :3]).max() > 1e-4
    pooled = keras.Model(model.input, model.get_layer("dense").input)
    np.testing.assert_allclose(pooled(padded).numpy(), inner(padded).numpy()[:, :3].mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("frames", [1, slow(2), 3, slow(7), slow(25), 40])
def test_a_tcn_sees_every_frame_and_never_a_later_one(frames):
    import keras

    model = build_head("tcn", frames=frames, dim=4, classes=2, params=training_params(units=4))
    sums = [layer.output for layer in model.layers if layer.name.endswith("_sum")]
    hidden = keras.Model(model.input, sums[-1])
    features = np.random.default_rng(4).normal(size=(1, frames, 4)).astype(np.float32)
    before = hidden(features).numpy()
    for place in range(frames):
        changed = features.copy()
        changed[:, place] += 5
        after = hidden(changed).numpy()
        np.testing.assert_array_equal(after[:, :place], before[:, :place])
        assert np.abs(after[:, -1] - before[:, -1]).max() > 0 or place < frames - 1
    farthest = tf_gradient(hidden, features)
    assert (np.abs(farthest).sum(axis=-1) > 0).all(), "the last output depends on every frame"


def tf_gradient(model, features: np.ndarray) -> np.ndarray:
    """How the last frame's output changes with every frame, relu opened by many random inputs."""
    import tensorflow as tf

    value = tf.constant(np.random.default_rng(5).normal(size=(64, *features.shape[1:])).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(value)
        last = tf.reduce_sum(model(value)[:, -1] ** 2)
    return np.abs(tape.gradient(last, value).numpy()).sum(axis=0)


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
    with pytest.raises(ParamsError, match="unknown head gro; known heads are gru, lstm, single_frame, "):
        check_heads(["gru", "gro"])
    with pytest.raises(ParamsError, match="unknown head gro"):
        build("gro")


def test_checking_names_does_not_import_tensorflow():
    code = (
        "import sys, components.training.step, components.evaluation.step;"
        "from reelflow.nets.heads import check_heads; check_heads(['gru']);"
        "print([name for name in ('keras', 'tensorflow', 'sklearn') if name in sys.modules])"
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


def test_params_large_has_the_dropout_of_the_study(tmp_path):
    params = training_params()
    assert isinstance(params, TrainingParams)
    assert (params.input_dropout, params.dropout, params.leaky_slope) == (0.5, 0.5, 0.3)
