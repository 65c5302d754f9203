from pathlib import Path

import pytest
import yaml

from reelflow.errors import ParamsError
from reelflow.params import load_params

DEFAULTS = Path("params.yaml")


def changed(tmp_path: Path, section: str, **values: object) -> Path:
    document = yaml.safe_load(DEFAULTS.read_text())
    document[section].update(values)
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_the_default_file_is_valid():
    assert load_params(DEFAULTS).frames.count == 13


@pytest.mark.parametrize(
    ("section", "values", "words"),
    [
        ("frames", {"cuont": 3}, ["frames.cuont", "not permitted"]),
        ("frames", {"count": 0}, ["frames.count", "greater than or equal to 1", "found 0"]),
        ("training", {"learning_rate": -1}, ["training.learning_rate", "found -1"]),
        ("training", {"heads": []}, ["training.heads"]),
        ("training", {"heads": ["gru", "tcn", "gru"]}, ["training.heads", "gru is named more than once"]),
        ("conversion", {"head": "int4"}, ["conversion.head", "'float16', 'dynamic' or 'int8'"]),
        ("dataset", {"test": 0.95}, ["validation + test must stay below 1"]),
        ("release", {"model_name": "a b/c"}, ["release.model_name"]),
        ("training", {"learning_rate": float("inf")}, ["training.learning_rate", "finite"]),
        ("training", {"seed": 2**32}, ["training.seed", "less than 4294967296"]),
        ("frames", {"count": True}, ["frames.count", "are no numbers", "found True"]),
        ("training", {"dropout": False}, ["training.dropout", "are no numbers", "found False"]),
        ("training", {"penalties": [True, 2]}, ["training.penalties", "are no numbers"]),
        ("release", {"note": True}, ["release.note", "as text need quotes"]),
        ("dataset", {"source": "a\0b"}, ["dataset.source", "zero byte"]),
        ("dataset", {"split_lists": {"train": "a\0b", "test": "c"}}, ["split_lists.train", "zero byte"]),
        ("features", {"backbones": ["pixels", "pixels"]}, ["features.backbones", "pixels is named more"]),
        ("evaluation", {"protocol": "cross_set( )"}, ["evaluation.protocol", "cross_set(PREFIX)"]),
    ],
)
def test_a_wrong_value_is_named_with_what_was_found(tmp_path, section, values, words):
    with pytest.raises(ParamsError) as caught:
        load_params(changed(tmp_path, section, **values))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no sections"),
        ("- 1\n", "no sections"),
        ("a: [", "not valid YAML"),
        ("frames: {}\n", "dataset"),
        ("a: 1\na: 2\n", "duplicate key a"),
        ("a: " + "9" * 5000, "not valid YAML"),
        ("a: 2020-99-99", "not valid YAML"),
        ("a: 013", "013 would be an octal number"),
        ("a: [-007]", "-007 would be an octal number"),
        ("[" * 20_000, "nested too deeply"),
        ("#" * 2_000_000, "more than 1048576 bytes"),
    ],
)
def test_a_file_that_holds_no_params_is_explained(tmp_path, content, words):
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(ParamsError, match=words):
        load_params(path)


def test_values_that_refer_to_each_other_a_million_times_are_shown_in_short(tmp_path):
    lists = [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 20)]
    path = tmp_path / "params.yaml"
    path.write_text("\n".join(["l0: &l0 [x]", *lists]))
    with pytest.raises(ParamsError, match="not permitted") as caught:
        load_params(path)
    assert len(str(caught.value)) < 10_000


def test_a_missing_file_is_explained(tmp_path):
    with pytest.raises(ParamsError, match="name an existing params file"):
        load_params(tmp_path / "absent.yaml")


def test_values_from_the_command_line_are_checked_too():
    with pytest.raises(ParamsError, match=r"the command line.*\n.*frames\.count"):
        load_params(DEFAULTS).with_values(frames={"count": -1})


def test_a_task_depends_on_its_own_item_alone():
    params = load_params(DEFAULTS)
    more = params.with_values(training={"heads": ["gru", "tcn"]})
    assert params.training.of_one_task() == more.training.of_one_task()
    assert params.training.narrowed_to("gru") == more.training.narrowed_to("gru")


def test_a_backbone_learns_by_holdout_alone(tmp_path):
    finetune = yaml.safe_load(DEFAULTS.read_text())["features"]["finetune"] | {"blocks": 2}
    params = load_params(changed(tmp_path, "features", finetune=finetune))
    for protocol in ("group_kfold(5)", "leave_one_group_out", "cross_set(set1)"):
        with pytest.raises(ParamsError, match="set the protocol to holdout, or the blocks to 0"):
            params.with_values(evaluation={"protocol": protocol})
