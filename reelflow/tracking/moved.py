"""Artifacts beside MLflow's sqlite file follow it when the folder of both is moved or copied.

MLflow records where artifacts are as absolute URIs, in several tables.
"""

from pathlib import Path
from urllib.parse import unquote, urlparse

from reelflow.files import exists
from reelflow.progress import emit
from reelflow.tracking.sqlite import connection

ARTIFACTS = "mlartifacts"
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


def follow_move(file: Path) -> None:
    """Replace where artifacts were by where they are; the caller holds the lock."""
    here = artifact_root(file)
    with connection(file) as database, database:
        found = database.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
        roots = {str(location).rpartition("/")[0] for (location,) in found}
        for root in sorted(root for root in roots if _has_moved(root, here, file.parent / ARTIFACTS)):
            emit("notice", message=f"MLflow's artifacts have moved from {_path(root)}: {file} is corrected")
            for table, column in LOCATIONS:
                database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608
                    f"WHERE substr({column}, 1, ?) = ?",
                    (here, len(root) + 1, len(root) + 1, f"{root}/"),
                )


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
