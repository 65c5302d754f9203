"""`SHA256SUMS` of a bundle: covers the files that `bundle.json` cannot list, as `sha256sum -c` reads it.

These are `bundle.json` itself, and `lineage.json` and `provenance.json`, which a device may lack. Bundles of
older versions of reelflow have no `SHA256SUMS`: they are read, and are not promoted.
"""

import re
from pathlib import Path

from reelflow.contracts import BundleReport
from reelflow.errors import BundleError
from reelflow.files import sha256_file, write_text

SUMS = "SHA256SUMS"
MANIFEST = BundleReport.file_name
RECORDS = ("lineage.json", "provenance.json")
LINE = re.compile(rf"([0-9a-f]{{64}})  ({'|'.join(map(re.escape, (MANIFEST, *RECORDS)))})\n")
MAX_SUMS_BYTES = 4096


def seal(folder: Path) -> None:
    """Write the sums of a finished bundle.

    Raises:
        StorageError: the disk is full or read-only.
    """
    names = [name for name in (MANIFEST, *RECORDS) if (folder / name).is_file()]
    write_text(folder / SUMS, "".join(f"{sha256_file(folder / name)}  {name}\n" for name in names))


def uncovered(folder: Path) -> str:
    """A warning about the files that a bundle without sums does not protect; empty for a sealed one."""
    if is_sealed(folder):
        return ""
    names = [name for name in (MANIFEST, *RECORDS) if (folder / name).is_file()]
    return (
        f"no {SUMS}: changes in {', '.join(names)} are not detected. Copy the whole "
        "bundle again, or convert it with this version of reelflow"
    )


def is_sealed(folder: Path) -> bool:
    """Whether a bundle has sums."""
    return (folder / SUMS).is_file()


def check_seal(folder: Path) -> None:
    """Check the files that the sums name; nothing for a bundle without sums.

    Raises:
        BundleError: one is altered, or has no sum.
        OSError: one cannot be read.
    """
    if not is_sealed(folder):
        return
    sums = _read(folder / SUMS)
    for name in (MANIFEST, *RECORDS):
        path = folder / name
        if not path.is_file():
            continue
        if name not in sums:
            raise BundleError(f"{folder / SUMS} has no sum of {name}: copy the whole bundle again")
        if (found := sha256_file(path)) != sums[name]:
            raise BundleError(
                f"{path} has been altered: sha256 {found}, expected {sums[name]}: copy the whole bundle again"
            )


def _read(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        text = file.read(MAX_SUMS_BYTES).decode("ascii", errors="replace")
    lines = LINE.findall(text)
    sums = {name: sha256 for sha256, name in lines}
    if len(sums) != len(lines) or text != "".join(f"{sha256}  {name}\n" for sha256, name in lines):
        raise BundleError(f"{path} has been altered: expected one line per file; copy the whole bundle again")
    return sums
