"""An inbox as devices fill it, a sheet, and clips of training."""

import json
from pathlib import Path
from typing import Any

from pipelines.inbox.sheet import Sheet
from tests.command import CommandGroup
from tests.videos import write_video

ID = "0123456789abcdef0123456789abcdef"


class Labelling(CommandGroup):
    """Places of one labelling round."""

    group = "inbox"

    def __init__(self, folder: Path) -> None:
        self.inbox, self.folder, self.clips = folder / "inbox", folder / "sheet", folder / "clips"
        self.inbox.mkdir()
        for number, label in enumerate(("fall", "walk")):
            (self.clips / label).mkdir(parents=True)
            write_video(self.clips / label / f"{label}.mp4", frames=30 + number)

    def keep(self, name: str, score: float | None = 0.4, frames: int = 8, **changes: Any) -> Path:
        """A clip that a device has kept, with its note if it has a score."""
        path = self.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, frames=frames)
        if score is not None:
            note = {
                "camera": name.partition("_")[0],
                "bundle": "lot",
                "began_at": "2026-11-27T10:00:00.000+00:00",
                "duration_s": 1.0,
                "best_guess": "walk",
                "score": score,
                "scores": {"walk": score, "fall": 1 - score},
                "unsure_below": 0.6,
            }
            path.with_suffix(".json").write_text(json.dumps(note | changes))
        return path

    def fill(self) -> None:
        """Three clips of two cameras."""
        self.keep(f"door_20261127_100000_{ID}.mp4", 0.5, frames=10)
        self.keep(f"door_20261127_101000_{ID}.mp4", 0.3, frames=11)
        self.keep(f"gate_20261127_100000_{ID}.mp4", 0.45, frames=12)

    def make(self, *options: object) -> str:
        """Make the sheet, or add to it."""
        return self.done("sheet", self.inbox, self.folder, "--clips", self.clips, *options)

    @property
    def sheet(self) -> Sheet:
        return Sheet.of(self.folder)

    @property
    def csv(self) -> Path:
        return self.folder / "labels.csv"

    def label(self, **labels: str) -> None:
        """Write labels as a person does, by the beginning of the clip's name; without one: none."""
        lines = ["clip,label"]
        for clip in self.sheet.clips:
            label = next((label for start, label in labels.items() if clip.name.startswith(start)), "")
            lines.append(f"{clip.name},{label}")
        self.csv.write_text("\n".join(lines) + "\n")

    def taken(self) -> set[str]:
        """The clips of training, below their folder."""
        return {path.relative_to(self.clips).as_posix() for path in self.clips.rglob("*.mp4")}
