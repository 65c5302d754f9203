"""Which image the features of a backbone need."""

from pathlib import Path

import pytest

from pipelines.images import image_name
from reelflow.params import load_params


@pytest.mark.parametrize(
    ("backbone", "image"),
    [
        ("thumbnail", "features"),
        ("pixels", "features"),
        ("pixels_64", "features"),
        ("mobilenet_v2_quant", "features"),
        ("mobilenet_v2", "features-float"),
    ],
)
def test_only_networks_of_keras_need_the_large_image(backbone: str, image: str) -> None:
    params = load_params(Path("params.yaml"))
    assert image_name(f"features {backbone}", params) == image
    assert image_name(f"features {backbone} 2/3", params) == image, "of a part of the clips"
