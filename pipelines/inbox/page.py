"""The page of a sheet: one file that shows every clip, takes labels, and saves `labels.csv`."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from pipelines.inbox.sheet import CLIPS, COLUMNS, PAGE, STRIPS, UNUSABLE, Sheet
from reelflow.errors import BundleError
from reelflow.files import sha256_text, write_text

PARTS = Path(__file__).parent / "page"


def write_page(folder: Path, sheet: Sheet, given: Mapping[str, str]) -> None:
    """Write `index.html`, which needs nothing but itself; videos beside it are played where the browser can.

    Args:
        folder: of the sheet, with strips of every clip.
        sheet: its clips.
        given: labels, by the name of the clip.

    Raises:
        BundleError: a strip is missing.
    """
    clips = [
        {
            "clip": clip.name,
            "label": given.get(clip.name, ""),
            "best_guess": clip.best_guess,
            "score": "" if clip.score is None else f"{clip.score:.3f}",
            "camera": clip.camera,
            "began_at": clip.began_at,
            "duration_s": f"{clip.duration_s:.1f}",
            "strip": _strip(folder / STRIPS / f"{clip.name}.jpg"),
        }
        for clip in sheet.clips
    ]
    data = {
        "sheet": sha256_text(str(folder.absolute()))[:16],
        "labels": sheet.labels,
        "unusable": UNUSABLE,
        "columns": COLUMNS,
        "folder": CLIPS,
        "clips": clips,
    }
    page = (PARTS / "index.html").read_text(encoding="utf-8")
    for name, text in (
        ("/*style*/", (PARTS / "page.css").read_text(encoding="utf-8")),
        ("/*script*/", (PARTS / "page.js").read_text(encoding="utf-8")),
        ("/*data*/", json.dumps(data).replace("<", "\\u003c")),  # no name of a clip ends the element
    ):
        page = page.replace(name, text, 1)
    write_text(folder / PAGE, page)


def _strip(path: Path) -> str:
    try:
        return base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}; put it back, or make a new sheet") from error
