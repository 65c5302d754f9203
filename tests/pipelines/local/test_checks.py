"""What a run refuses before its first step, which a late step would refuse after hours."""

from pathlib import Path

import pytest

from pipelines.local.checks import check_folders, check_params
from reelflow.errors import DataError, WeightsError
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


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ("group_kfold(5)", r"needs 5 groups or more; found 4"),
        ("cross_set(north)", "0 of 4 groups begin with 'north'"),
        ("group_kfold(4)", None),
        ("cross_set(camera_1)", None),
        ("holdout", None),
    ],
)
def test_groups_that_do_not_suit_the_protocol(tmp_path: Path, protocol: str, message: str | None) -> None:
    """The clips are only listed: they hold nothing."""
    paths = [f"{label}/{number}.mp4" for label in ("fall", "walk") for number in range(8)]
    for path in paths:
        (tmp_path / "clips" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "clips" / path).touch()
    lines = (f"{path},{path.partition('/')[0]},camera_{number % 4}" for number, path in enumerate(paths))
    (tmp_path / "clips" / "groups.csv").write_text("\n".join(["path,label,group", *lines]))
    params = load_params(Path("params.small.yaml")).with_values(
        dataset={"source": str(tmp_path / "clips")}, evaluation={"protocol": protocol}
    )
    if message is None:
        check_folders(params, tmp_path / "out")
    else:
        with pytest.raises(DataError, match=message):
            check_folders(params, tmp_path / "out")
