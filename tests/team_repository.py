"""A git repository whose clips DVC tracks, with a remote that is a folder."""

import subprocess
from pathlib import Path

from dvc.repo import Repo

CLIPS = "data/clips"
AUTHOR = ("-c", "user.name=Team", "-c", "user.email=team@example.org")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *AUTHOR, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def make_team(folder: Path, url: str, **remote: str) -> Path:
    """A repository with a DVC remote and no clips yet."""
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    Repo.init(str(folder)).close()
    values = {"url": url, **remote}
    lines = ["[core]", "analytics = false", "remote = store", "['remote \"store\"']"]
    lines += [f"{name} = {value}" for name, value in values.items()]
    (folder / ".dvc" / "config").write_text("\n".join(lines) + "\n")
    return folder


def publish(team: Path, files: dict[str, bytes], tag: str, *, push: bool = True) -> str:
    """Track these files as the clips of a tagged commit; returns the commit."""
    for name, content in files.items():
        path = team / CLIPS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
    with Repo(str(team)) as repo:
        repo.add([str(team / CLIPS)])
        if push:
            repo.push()
    git(team, "add", "-A")
    git(team, "commit", "-qm", tag)
    git(team, "tag", tag)
    return git(team, "rev-parse", "HEAD")
