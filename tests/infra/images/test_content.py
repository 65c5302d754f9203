"""The tag of an image follows what it is built from."""

from pathlib import Path

import pytest

from infra.images import content
from infra.images.content import content_tag, shipped
from infra.images.context import NAMES, ROOT
from reelflow import __version__

BASE = f"sha256:{'0' * 64}"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small tree of sources, and copies of the files that decide how images are made."""
    for name in ("reelflow/params.py", "components/images.py", "components/frames/step.py"):
        write(tmp_path / name, name)
    recipe = [tmp_path / path.name for path in content.RECIPE]
    for path, original in zip(recipe, content.RECIPE, strict=True):
        path.write_text(original.read_text())
    monkeypatch.setattr(content, "ROOT", tmp_path)
    monkeypatch.setattr(content, "RECIPE", tuple(recipe))
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    "name",
    ["reelflow/params.py", "reelflow/video/new.py", "components/images.py", "components/frames/step.py"],
)
def test_other_sources_are_another_image(checkout: Path, name: str) -> None:
    before, server = content_tag("frames", BASE), content_tag("mlflow", BASE)
    write(checkout / name, "changed")
    assert content_tag("frames", BASE) != before
    assert content_tag("mlflow", BASE) == server


@pytest.mark.parametrize("name", ["Containerfile", "hardened.Containerfile", "prune.txt", "context.py"])
def test_another_recipe_is_another_image(checkout: Path, name: str) -> None:
    before = [content_tag(name, BASE) for name in ("frames", "mlflow")]
    write(checkout / name, "changed")
    after = [content_tag(name, BASE) for name in ("frames", "mlflow")]
    assert not set(before) & set(after)


def test_another_base_or_lock_is_another_image(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content_tag("frames", BASE)
    assert content_tag("frames", f"sha256:{'1' * 64}") != before
    monkeypatch.setattr(content, "requirements", lambda name: frozenset({"numpy==1"}))
    assert content_tag("frames", BASE) != before


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "reelflow/README.md",
        "reelflow/__pycache__/params.pyc",
        "components/frames/requirements.in",
        "components/features/step.py",
        "tests/test_all.py",
    ],
)
def test_what_is_not_in_an_image_does_not_change_its_tag(checkout: Path, name: str) -> None:
    before = content_tag("frames", BASE)
    write(checkout / name, "changed")
    assert content_tag("frames", BASE) == before


def test_every_image_has_a_tag_of_its_own() -> None:
    tags = {name: content_tag(name, BASE) for name in NAMES}
    assert len(set(tags.values())) == len(NAMES)
    assert all(tag.startswith(f"{__version__}-") for tag in tags.values())


def test_the_sources_of_an_image_are_those_of_its_step() -> None:
    found = [path.relative_to(ROOT).parts for path in shipped("features-float")]
    assert {parts[1] for parts in found if len(parts) > 2 and parts[0] == "components"} == {"features"}
    assert {"reelflow", "components"} == {parts[0] for parts in found}
