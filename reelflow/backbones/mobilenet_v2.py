"""MobileNetV2 1.0 in float (Keras, ImageNet)."""

from reelflow.backbones import Backbone
from reelflow.backbones.keras_application import Application, load_application
from reelflow.backbones.weights import WeightFile

NAME = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224"

APPLICATION = Application(
    name="mobilenet_v2",
    builder="MobileNetV2",
    side=224,
    dim=1280,
    published=WeightFile(
        name=f"{NAME}.h5",
        url=f"https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/{NAME}.h5",
        sha256="3e195a2857356cfc092cbbb460beb2a5bce279015d7792598b8d3d9e451902e3",
        size_bytes=14_536_120,
    ),
    without_top=f"{NAME}_no_top.h5",
)


def load(weights: str, *, seed: int) -> Backbone:
    """Load it, as `load_application` does."""
    return load_application(APPLICATION, weights, seed=seed)
