"""The training step with networks over pixels."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from components.training import train as training
from components.training.step import run
from reelflow.backbones.pixels import Pixels
from reelflow.errors import ParamsError, WeightsError
from reelflow.nets.runtime import prepare
from reelflow.nets.saved import load_head
from reelflow.nets.video.design import inflation_input
from reelflow.provenance.step import PROVENANCE, Provenance
from reelflow.steps import perform
from tests import fake_features as fake

COUNTS = {"train": 4, "validation": 2, "test": 2}  # clips a class
QUICK = {"epochs": 1, "batch_size": 4, "optimizer": "rmsprop", "learning_rate": 1e-12}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pixels")
    dataset, features = fake.write_both(folder, counts=COUNTS, backbone=Pixels("pixels_16").spec)
    return {"dataset": dataset, "features": features}


def resnet(path: Path, seed: int) -> Path:
    prepare()
    import keras

    keras.utils.set_random_seed(seed)
    keras.applications.ResNet50(weights=None).save_weights(path)
    return path


@pytest.mark.slow
def test_a_network_starts_from_a_file_whose_content_is_in_its_key(tmp_path, inputs, monkeypatch):
    monkeypatch.setenv("REELFLOW_EVENTS", str(tmp_path / "events.jsonl"))  # not to MLflow
    monkeypatch.setenv("REELFLOW_WORK", str(tmp_path / "work"))
    keys, file = set(), tmp_path / "resnet50.weights.h5"
    for seed in (1, 2):
        resnet(file, seed)
        params = fake.training_params(**QUICK, video={"inflate": str(file)})
        perform(
            run,
            params,
            options={"head": "c2d_50", "protocol": "holdout"},
            inputs=inputs | inflation_input("c2d_50", params.video),
            output={"model": tmp_path / "model"},
        )
        found = Provenance.read(tmp_path / "model" / PROVENANCE)
        assert found.inputs["inflate"] == hashlib.sha256(file.read_bytes()).hexdigest()
        keys.add(found.key)
        assert_starts_from(tmp_path / "model" / "model.keras", seed)
    assert len(keys) == 2


def assert_starts_from(model: Path, seed: int) -> None:
    """The rate is too small for the weights to move."""
    import keras

    keras.utils.set_random_seed(seed)
    conv = keras.applications.ResNet50(weights=None).get_layer("conv4_block3_2_conv")
    block = load_head(model).get_layer("conv4_3")
    np.testing.assert_allclose(block.convs["spatial"].kernel, conv.kernel, atol=1e-6)


def test_a_file_that_is_not_there_is_said_before_anything_is_read(tmp_path):
    params = fake.training_params(**QUICK, video={"inflate": "none.h5"})
    with pytest.raises(WeightsError, match=r"none\.h5 does not exist"):
        run(
            params,
            head="c2d_50",
            protocol="holdout",
            dataset=tmp_path,
            features=tmp_path,
            model=tmp_path,
        )


@pytest.mark.parametrize(("head", "backbone"), [("p3d_63", "thumbnail"), ("gru", "pixels_16")])
def test_pixels_and_networks_over_them_go_together_alone(tmp_path, head, backbone):
    """A thumbnail's 192 numbers could pass for a picture of 8x8 in colour."""
    kinds = {"thumbnail": {}, "pixels_16": {"backbone": Pixels("pixels_16").spec}}
    dataset, features = fake.write_both(tmp_path, counts=COUNTS, **kinds[backbone])
    with pytest.raises(ParamsError, match=f"{head} does not go with {backbone}: p3d_63, .* go with pixels"):
        run(
            fake.training_params(**QUICK),
            head=head,
            protocol="holdout",
            dataset=dataset,
            features=features,
            model=tmp_path / "model",
        )


def test_a_batch_that_does_not_fit_into_memory_is_refused_before_the_network_is_built(
    tmp_path, inputs, monkeypatch
):
    monkeypatch.setattr(training, "free_memory", lambda: 1_500_000_000)
    monkeypatch.setattr(training, "build_head", None)
    params = fake.training_params(**QUICK)
    with pytest.raises(ParamsError, match=r"a step on 4 clips of 5 frames of 16x16 needs about \d\.\d GB"):
        run(params, head="p3d_199", protocol="holdout", **inputs, model=tmp_path)
