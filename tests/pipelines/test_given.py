"""Options that are given without a value, or with one that cannot be, are told in one message."""

import pytest
from typer.testing import CliRunner

from pipelines.__main__ import app
from pipelines.overrides import names_in, protocol_in
from reelflow.errors import ParamsError

NEVER = "pipelines.local.driver.run_local"


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch):
    monkeypatch.setattr(NEVER, lambda *_: pytest.fail("it ran"))


@pytest.mark.parametrize(
    ("command", "option"),
    [
        *(("run", f"--{name}") for name in ("data", "weights", "out", "backbones", "heads", "protocol")),
        *(("run", "--model"), ("run", "--params"), ("sweep", "--data"), ("sweep", "--space")),
        *(("data status", "--data"), ("data status", "--weights")),
        *(("reproduce study-a", "--data"), ("reproduce study-b", "--data")),
    ],
)
@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_value_is_told(command, option, value):
    ended = CliRunner().invoke(app, [*command.split(), option, value])
    assert ended.exit_code == 2
    assert f"Invalid value for '{option}'" in ended.output
    assert "it is empty" in ended.output


@pytest.mark.parametrize(
    "protocol",
    ["group_kfold(1)", "group_kfold(5", "kfold", "cross_set()", f"group_kfold({'9' * 5000})", "holdout(3)"],
)
@pytest.mark.parametrize("command", ["run", "sweep"])
def test_a_protocol_that_is_none_is_told_before_anything_is_read(command, protocol):
    ended = CliRunner().invoke(app, [command, "--protocol", protocol, "--data", "somewhere"])
    assert isinstance(ended.exception, ParamsError)
    assert "expected holdout, leave_one_group_out" in str(ended.exception)


def test_given_values_are_read():
    assert (names_in("gru, lstm,"), names_in(None)) == (["gru", "lstm"], [])
    assert (protocol_in("group_kfold(5,seed=1)"), protocol_in(None)) == ("group_kfold(5)", "")
    with pytest.raises(ParamsError, match="expected names with commas"):
        names_in(" , ")
