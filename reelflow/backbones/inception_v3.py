"""Inception-v3 (Keras, ImageNet): the study's large network."""

from reelflow.backbones.interface import Backbone
from reelflow.backbones.keras_application import Application, load_application
from reelflow.backbones.weight_file import WeightFile
from reelflow.settings import Settings

NAME = "inception_v3_weights_tf_dim_ordering_tf_kernels"

APPLICATION = Application(
    name="inception_v3",
    builder="InceptionV3",
    side=299,
    dim=2048,
    published=WeightFile(
        name=f"{NAME}.h5",
        url=f"https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/{NAME}.h5",
        sha256="00c9ea4e4762f716ac4d300d6d9c2935639cc5e4d139b5790d765dcbeea539d0",
        size_bytes=96_112_376,
    ),
    without_top=f"{NAME}_notop.h5",
    before_blocks=tuple(f"mixed{number}" for number in range(9, -1, -1)),
)


def load(weights: str, *, seed: int, settings: Settings) -> Backbone:
    """Load it by `load_application`."""
    return load_application(APPLICATION, weights, seed=seed, settings=settings)
