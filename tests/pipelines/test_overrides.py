"""What the command line changes in the params."""

from pathlib import Path

import pytest

from pipelines.overrides import override, with_model_name
from reelflow.errors import ParamsError
from reelflow.params import load_params

PARAMS = load_params(Path("params.yaml"))


@pytest.mark.parametrize(
    ("data", "model", "name"),
    [
        (None, "", "reelflow"),
        (Path("my clips"), "", "reelflow-my-clips"),
        (Path("a/b"), "", "reelflow-b"),
        (Path("a/b"), "gates", "gates"),
        (None, "gates", "gates"),
    ],
)
def test_other_clips_get_a_model_name_of_their_own(data, model, name):
    assert with_model_name(PARAMS, data, model).release.model_name == name


def test_folders_that_are_not_named_in_ascii_have_names_of_their_own():
    names = {
        with_model_name(PARAMS, Path(data), "").release.model_name for data in ("падение", "драка", "跌倒")
    }
    assert len(names) == 3
    nfc, nfd = (with_model_name(PARAMS, data, "").release.model_name for data in ("é", "e\u0301"))
    assert nfc == nfd


def test_a_name_in_the_params_stays():
    params = PARAMS.with_values(release={"model_name": "gates"})
    assert with_model_name(params, Path("clips"), "").release.model_name == "gates"


def test_a_name_that_no_registry_takes_is_refused():
    with pytest.raises(ParamsError, match=r"release\.model_name"):
        with_model_name(PARAMS, None, "a/b")


def test_a_protocol_from_the_command_line_is_checked():
    found = override(PARAMS, protocol="group_kfold(5)")
    assert found.evaluation.protocol == "group_kfold(5)"
    with pytest.raises(ParamsError, match="expected holdout"):
        override(PARAMS, protocol="kfold")


@pytest.mark.parametrize("given", ["top", "only"])
def test_a_label_folder_that_is_given_comes_before_that_of_the_params(given):
    params = PARAMS.with_values(dataset={"label_folder": "parent"})
    assert override(params, label_folder=given).dataset.label_folder == given
    assert override(params).dataset.label_folder == "parent"
