"""MobileNetV2 1.0 in float (Keras, ImageNet).

If Keras's weights are missing, a folder with the file of the quantised network is enough: it has the same
architecture, and its weights are dequantised.
"""

from reelflow.backbones.interface import Backbone
from reelflow.backbones.keras_application import Application, load_application
from reelflow.backbones.mobilenet_v2_quant import FILE as QUANTISED
from reelflow.backbones.weight_file import WeightFile
from reelflow.settings import Settings

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
    before_blocks=(
        "block_15_add",
        "block_14_add",
        "block_13_project_BN",
        "block_12_add",
        "block_11_add",
        "block_10_project_BN",
        "block_9_add",
        "block_8_add",
        "block_7_add",
        "block_6_project_BN",
        "block_5_add",
        "block_4_add",
        "block_3_project_BN",
        "block_2_add",
        "block_1_project_BN",
        "expanded_conv_project_BN",
    ),
    quantised=QUANTISED,
)


def load(weights: str, *, seed: int, settings: Settings) -> Backbone:
    """Load it by `load_application`."""
    return load_application(APPLICATION, weights, seed=seed, settings=settings)
