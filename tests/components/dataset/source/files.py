"""Folders of empty files, whose names are all that a search for clips looks at."""

from pathlib import Path


def touch(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def write_groups(root: Path, text: str | bytes) -> None:
    (root / "groups.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
