"""What a run refuses before its first step, which a late step would refuse after hours."""

from pathlib import Path

import pytest

from pipelines.local.checks import check_params
from reelflow.errors import WeightsError
from reelflow.params import load_params
from reelflow.settings import Settings


def check(weights: Path | str, *backbones: str) -> None:
    params = load_params(Path("params.small.yaml"))
    check_params(
        params.with_values(features={"weights": str(weights), "backbones": list(backbones)}), Settings()
    )


@pytest.mark.parametrize(
    "backbone", ["mobilenet_v2_quant", "mobilenet_v2_640x352", "mobilenet_v2", "inception_v3"]
)
def test_a_folder_without_the_file_of_a_network(tmp_path: Path, backbone: str) -> None:
    with pytest.raises(WeightsError, match=r"mobilenet_v2_1\.0_224_quant\.tflite|inception_v3_weights"):
        check(tmp_path, "thumbnail", backbone)


def test_a_file_that_is_no_network(tmp_path: Path) -> None:
    (tmp_path / "mobilenet_v2_1.0_224_quant.tflite").write_bytes(b"<html>")
    with pytest.raises(WeightsError):
        check(tmp_path, "mobilenet_v2_quant")


def test_random_weights_of_a_network_that_has_none() -> None:
    with pytest.raises(WeightsError, match="no random weights"):
        check("random", "mobilenet_v2_quant")


def test_nothing_is_fetched_and_no_weights_are_needed_where_there_are_none() -> None:
    check("imagenet", "mobilenet_v2_quant", "inception_v3")
    check("random", "inception_v3")


def test_weights_that_are_there(shared_data: Path) -> None:
    check(shared_data / "weights", "mobilenet_v2_quant", "mobilenet_v2_640x352", "mobilenet_v2", "thumbnail")
