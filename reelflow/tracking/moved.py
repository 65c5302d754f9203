"""Artifacts beside MLflow's sqlite file follow it when the folder of both is moved or copied.

MLflow records where artifacts are as absolute URIs, in several tables.
"""

import re
from pathlib import Path
from urllib.parse import unquote, urlparse

from reelflow.files import exists, sha256_text
from reelflow.progress import emit
from reelflow.tracking.sqlite import connection

ARTIFACTS = "mlartifacts"
LONGEST_NAME = 60  # letters of an experiment's name in that of its folder
LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def artifact_root(file: Path) -> str:
    """The URI of the folder for artifacts beside a sqlite file."""
    return (file.parent / ARTIFACTS).as_uri()


def artifact_folder(file: Path, experiment: str) -> str:
    """The URI of an experiment's folder there: a name may hold slashes, and be too long for a file system."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", experiment)[:LONGEST_NAME].lstrip(".")
    own = plain if plain == experiment else f"{plain}-{sha256_text(experiment)[:8]}"
    return f"{artifact_root(file)}/{own}"


def follow_move(file: Path) -> None:
    """Replace where artifacts were by where they are; the caller holds the lock."""
    here = artifact_root(file)
    with connection(file) as database, database:
        found = database.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
        roots = {_root_of(str(location)) for (location,) in found}
        for root in sorted(root for root in roots if _has_moved(root, here, file.parent / ARTIFACTS)):
            emit("notice", message=f"MLflow's artifacts have moved from {_path(root)}: {file} is corrected")
            for table, column in LOCATIONS:
                database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608
                    f"WHERE substr({column}, 1, ?) = ?",
                    (here, len(root) + 1, len(root) + 1, f"{root}/"),
                )


def _root_of(location: str) -> str:
    """The folder of all artifacts, above an experiment's, whose name earlier versions kept slashes in."""
    before, found, _ = f"{location}/".rpartition(f"/{ARTIFACTS}/")
    return f"{before}/{ARTIFACTS}" if found else ""


def _has_moved(root: str, here: str, folder: Path) -> bool:
    """Whether a recorded root is that of another place, which is gone or was copied to here."""
    if root == here or not root.startswith("file:///") or not root.endswith(f"/{ARTIFACTS}"):
        return False
    old = _path(root)
    if not exists(old):
        return True
    return folder.exists() and not folder.samefile(old)


def _path(uri: str) -> Path:
    return Path(unquote(urlparse(uri).path))
