"""Backups of a stack: a dump of the database, and the objects as they are after it.

The database comes first: what it names by then is in the object store. Objects that the backup before
has too are links to the same file.
"""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from infra.stack.programs import Programs
from infra.stack.settings import BUCKET, DATABASE
from reelflow.documents import Document
from reelflow.errors import ParamsError
from reelflow.files import sha256_file, write_text

DUMP, OBJECTS, MANIFEST, UNFINISHED = "database.dump", "objects", "backup.json", ".unfinished"
NAME = "%Y-%m-%dT%H%M%S.%f"
KEEP = 14


class Backup(Document):
    """`backup.json`, the last file of a backup.

    Attributes:
        mlflow: the version whose schema the database has.
        dump: sha256 of the dump.
        objects: how many there are.
        object_bytes: of all of them.
    """

    mlflow: str
    dump: str
    objects: int
    object_bytes: int


def back_up(programs: Programs, place: Path, mlflow: str, keep: int = KEEP) -> Path:
    """Make a backup, and delete the oldest of more than `keep`.

    Args:
        programs: of the stack, which may run all the time.
        place: folder of all backups.
        mlflow: version of MLflow.
        keep: how many backups stay.

    Returns:
        The folder of the backup.

    Raises:
        StorageError: a program fails, or the disk refuses.
    """
    before = backups(place)
    made = place / UNFINISHED
    shutil.rmtree(made, ignore_errors=True)
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    made.mkdir()
    with (made / DUMP).open("wb") as file:
        programs.database("pg_dump", "--format=custom", "--no-owner", DATABASE, into=file)
    with (made / DUMP).open("rb") as file:
        programs.database("pg_restore", "--list", given=file)
    if before:
        shutil.copytree(before[-1] / OBJECTS, made / OBJECTS, copy_function=os.link)
    (made / OBJECTS).mkdir(exist_ok=True)
    programs.objects(made / OBJECTS, "sync", "--checksum", f":s3:{BUCKET}", "FOLDER")
    files = list(_files(made / OBJECTS))
    manifest = Backup(
        mlflow=mlflow,
        dump=sha256_file(made / DUMP),
        objects=len(files),
        object_bytes=sum(path.stat().st_size for path in files),
    )
    write_text(made / MANIFEST, manifest.to_json())
    target = place / datetime.now(UTC).strftime(NAME)
    made.replace(target)
    for old in backups(place)[: -max(keep, 1)]:
        shutil.rmtree(old)
    return target


def restore(programs: Programs, backup: Path) -> None:
    """Put a backup in place of what a stack holds; its stores run, its MLflow does not.

    Args:
        programs: of the stack.
        backup: a folder that `read_backup` finds whole.

    Raises:
        StorageError: a program fails; the same call may be made again.
    """
    programs.database("dropdb", "--if-exists", "--force", DATABASE)
    programs.database("createdb", DATABASE)
    with (backup / DUMP).open("rb") as file:
        programs.database("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={DATABASE}", given=file)
    programs.objects(backup / OBJECTS, "sync", "--checksum", "FOLDER", f":s3:{BUCKET}")
    programs.objects(backup / OBJECTS, "check", "--checksum", "FOLDER", f":s3:{BUCKET}")
    programs.set_admin_password()


def read_backup(backup: Path) -> Backup:
    """The manifest of a backup whose dump and objects are as they were written.

    Raises:
        ParamsError: they are not.
    """
    if not (backup / MANIFEST).is_file():
        raise ParamsError(f"{backup} is no backup: name a folder that make stack-backup has made")
    manifest = Backup.read(backup / MANIFEST)
    if sha256_file(backup / DUMP) != manifest.dump:
        raise ParamsError(f"{backup / DUMP} has changed since it was written: take another backup")
    files = list(_files(backup / OBJECTS))
    if (found := sum(path.stat().st_size for path in files)) != manifest.object_bytes:
        raise ParamsError(
            f"{backup / OBJECTS} holds {len(files)} objects of {found} bytes, expected {manifest.objects} of "
            f"{manifest.object_bytes}: take another backup"
        )
    return manifest


def backups(place: Path) -> list[Path]:
    """The whole backups below a folder, the oldest first."""
    return sorted(path.parent for path in place.glob(f"*/{MANIFEST}"))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
