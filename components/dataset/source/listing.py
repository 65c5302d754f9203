"""Lists what lies in a source: files that may be clips, and a word on everything else.

Links to folders are followed wherever they lead: whoever owns the folder made them. Each real folder is
listed once, so that links in a circle end.
"""

import re
from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from reelflow.contracts import Rejected
from reelflow.files import shown_path, walk_links

PICTURES = frozenset(
    {".bmp", ".cr2", ".dng", ".heic", ".heif", ".jpeg", ".jpg", ".nef", ".pgm", ".png", ".ppm", ".psd"}
    | {".svg", ".tga", ".tif", ".tiff", ".webp"}
)
ARCHIVES = frozenset({".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst"})
TEXTS = frozenset(
    {".ass", ".cfg", ".conf", ".css", ".csv", ".doc", ".docx", ".htm", ".html", ".ini", ".ipynb"}
    | {".js", ".json", ".jsonl", ".log", ".m3u", ".m3u8", ".md", ".md5", ".nfo", ".odt", ".pdf", ".py"}
    | {".rst", ".rtf", ".sh", ".sha256", ".srt", ".sub", ".toml", ".tsv", ".txt", ".url", ".vtt", ".xls"}
    | {".xlsx", ".xml", ".xmp", ".yaml", ".yml"}
)
DATA = frozenset(
    {".aae", ".ckpt", ".db", ".dvc", ".gpx", ".h5", ".hdf5", ".lnk", ".mat", ".npy", ".npz", ".onnx"}
    | {".parquet", ".pkl", ".pt", ".pth", ".tflite", ".thm", ".torrent"}
)
SOUNDS = frozenset({".aac", ".aiff", ".amr", ".flac", ".m4a", ".mp3", ".opus", ".wav", ".wma"})
NO_CLIPS = PICTURES | ARCHIVES | TEXTS | DATA | SOUNDS
INSTEAD = {
    PICTURES: "the folder holds pictures, no clips: make a clip of them, as with ffmpeg -i %05d.jpg CLIP.mp4",
    ARCHIVES: "the folder holds archives, no clips: unpack them",
}
UNFINISHED = frozenset({".crdownload", ".download", ".part", ".partial", ".tmp"})
OF_SYSTEMS = frozenset(
    {"@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "$recycle.bin", "__macosx"}
    | {"lost+found", "system volume information"}
)
GROUPS = "groups.csv"
MEANT_GROUPS = re.compile(
    r"(copy of )?groups?\s*([ _-]*copy|\(\d+\))*\s*"
    r"\.(csv|tsv|tab|txt|xlsx?|ods|numbers|json|jsonl|parquet)(\.csv|\.txt|\.xlsx?)?",
    re.IGNORECASE,
)


@dataclass
class FolderListing:
    """What lies in a source.

    Attributes:
        files: that may be clips, by path relative to the source, with forward slashes.
        rejected: what is left out, each with its reason.
        ignored: other files, counted by what they are.
        suffixes: of these other files, by their folder.
        tables: CSV files beside the clips, without `groups.csv`.
        meant_groups: files whose names are nearly `groups.csv`.
    """

    files: list[str] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    suffixes: dict[str, set[str]] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    meant_groups: list[str] = field(default_factory=list)

    def reject(self, path: str, reason: str) -> None:
        """Leave a path out."""
        self.rejected.append(Rejected(path=shown_path(path), reason=reason))

    def add(self, path: str) -> None:
        """Sort a file in by its name."""
        suffix = PurePosixPath(path).suffix.lower()
        if path == GROUPS:
            return
        if "/" not in path and suffix in (".csv", ".tsv"):
            self.tables.append(path)
        if MEANT_GROUPS.fullmatch(path.strip()):
            self.meant_groups.append(path)
        if any(_is_of_systems(folder) for folder in PurePosixPath(path).parts[:-1]):
            self.ignored["in folders of the system"] += 1
        elif any(part.startswith(".") for part in PurePosixPath(path).parts):
            self.ignored["hidden"] += 1
        elif PurePosixPath(path).name.lower() == GROUPS and "/" in path:
            self.reject(path, f"{GROUPS} is read from the topmost folder alone: list its clips there")
        elif suffix in NO_CLIPS:
            self.ignored[suffix] += 1
            self.suffixes.setdefault(PurePosixPath(path).parent.as_posix(), set()).add(suffix)
        elif suffix in UNFINISHED:
            self.reject(path, "it is an unfinished download or copy: complete it, or remove it")
        elif shown_path(path) != path:
            self.reject(path, "its name is not valid UTF-8: rename it")
        else:
            self.files.append(path)

    def note(self) -> tuple[str, ...]:
        """What was ignored, if anything was."""
        if not self.ignored:
            return ()
        return (
            f"{self.ignored.total()} file(s) ignored, whose names are not those of clips: {self._kinds()}",
        )

    def explain_ignored(self) -> str:
        """What lies there instead of clips, and what to do with it; empty if nothing does."""
        if not self.ignored:
            return ""
        return f"; other files are there ({self._kinds()})" + (
            ": unpack the archives" if ARCHIVES & self.ignored.keys() else ""
        )

    def _kinds(self) -> str:
        return ", ".join(f"{count} {kind}" for kind, count in sorted(self.ignored.items()))


def list_names(names: Iterable[str]) -> FolderListing:
    """Sort files whose names are known."""
    listing = FolderListing()
    for name in sorted(names):
        listing.add(name)
    return listing


def list_folder(source: Path) -> FolderListing:
    """List a folder: every file below it is a clip, rejected, or counted as ignored."""
    listing = FolderListing()
    found: set[str] = set()

    def refuse(path: Path, reason: str) -> None:
        listing.reject(path.relative_to(source).as_posix(), reason)

    for place, folders, names in walk_links(source, refuse):
        here = place.relative_to(source)
        folders[:] = [name for name in folders if _is_wanted(listing, name)]
        for name in names:
            listing.add((here / name).as_posix())
        found.add(here.as_posix())
    _reject_empty(listing, found)
    listing.files.sort()
    return listing


def _reject_empty(listing: FolderListing, folders: Iterable[str]) -> None:
    """Name the folders without a file that may be a clip, those at the bottom first."""
    told = {parent for path in listing.files for parent in _parents(path)}
    told |= {parent for one in listing.rejected for parent in (one.path, *_parents(one.path))}
    for folder in sorted(folders, key=lambda path: -path.count("/")):
        if folder != "." and folder not in told:
            listing.reject(folder, _instead_of_clips(listing.suffixes.get(folder, set())))
            told |= {folder, *_parents(folder)}


def _instead_of_clips(suffixes: Set[str]) -> str:
    """The reason why a folder gives no clip, by the suffixes of the files in it."""
    found = (reason for kind, reason in INSTEAD.items() if kind & suffixes)
    return next(found, "the folder holds no clips: add some, or remove it")


def _parents(path: str) -> list[str]:
    return [parent.as_posix() for parent in PurePosixPath(path).parents]


def _is_wanted(listing: FolderListing, name: str) -> bool:
    if name.startswith("."):
        listing.ignored["hidden folders"] += 1
    elif _is_of_systems(name):
        listing.ignored["folders of the system"] += 1
    else:
        return True
    return False


def _is_of_systems(folder: str) -> bool:
    """Whether a NAS, a desktop or a file system made the folder for itself."""
    return folder.casefold() in OF_SYSTEMS
