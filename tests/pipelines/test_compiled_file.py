"""Where the compiled pipeline goes: a file of the name that KFP takes, whole or not at all."""

from pathlib import Path

import pytest

from pipelines.cluster.package import compile_to
from reelflow.errors import ParamsError, StorageError
from reelflow.params import load_params

PARAMS = load_params(Path("params.yaml"))


@pytest.mark.parametrize("name", ["pipeline.yml", "pipeline", ".", "pipeline.yaml.gz"])
def test_other_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ParamsError, match=r"does not end with \.yaml"):
        compile_to(PARAMS, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_places_that_take_no_file_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "x")
    (tmp_path / "folder.yaml").mkdir()
    for place, told in {
        "file/p.yaml": "is a file",
        "link/p.yaml": "a dead link",
        "folder.yaml": "a folder",
    }.items():
        with pytest.raises(StorageError, match=told):
            compile_to(PARAMS, tmp_path / place)


def test_folders_are_made(tmp_path: Path) -> None:
    compile_to(PARAMS, tmp_path / "a" / "b" / "pipeline.yaml")
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["pipeline.yaml"]
