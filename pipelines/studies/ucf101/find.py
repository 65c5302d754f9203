"""Finds the clips of UCF101, `UCF-101/<Class>/v_*.avi`, and the official lists near them."""

from collections.abc import Iterator
from pathlib import Path

from reelflow.errors import DataError, ParamsError

CLIPS = "*/v_*_g*_c*.avi"
LISTS = ("trainlist{:02d}.txt", "testlist{:02d}.txt")
DOWNLOADED = "UCF101TrainTestSplits-RecognitionTask"
BELOW = ("", "ucfTrainTestlist", DOWNLOADED, f"{DOWNLOADED}/ucfTrainTestlist", "ucf101_splits")
ORIGIN = "https://www.crcv.ucf.edu/data/UCF101.php"


def find_clips(folder: Path) -> Path:
    """The folder of the class folders: the one given, or the only one in it that has clips.

    Raises:
        ParamsError: there is no such folder.
        DataError: it holds no clips of UCF101, or several copies of them.
    """
    if not folder.is_dir():
        raise ParamsError(f"there is no folder {folder}: name the folder of UCF101's clips (--data)")
    try:
        if _holds_clips(folder):
            return folder
        inside = [child for child in sorted(folder.iterdir()) if child.is_dir() and _holds_clips(child)]
    except OSError as error:
        raise ParamsError(
            f"{folder} cannot be read: {error.strerror}; name another folder (--data)"
        ) from error
    if len(inside) == 1:
        return inside[0]
    found = "several folders with" if inside else "no"
    raise DataError(
        f"{folder} holds {found} clips as UCF-101/<Class>/v_<Class>_g01_c01.avi: name the folder that "
        f"holds the class folders (--data); UCF101 is available from {ORIGIN}"
    )


def find_lists(data: Path, lists: Path | None, split: int) -> tuple[Path, Path]:
    """The official train and test list of a split: in `lists`, else in, beside or around the clips.

    Raises:
        ParamsError: they are not there.
    """
    names = [name.format(split) for name in LISTS]
    places = list(_places(data, lists))
    for place in places:
        if all((place / name).is_file() for name in names):
            train, test = (place / name for name in names)
            return train, test
    where = str(lists) if lists else f"{data} and the folders around it"
    raise ParamsError(
        f"no {' and '.join(names)} in {where}: name their folder with --lists, as unpacked from "
        f"{DOWNLOADED}.zip ({ORIGIN})"
    )


def _holds_clips(folder: Path) -> bool:
    return next(folder.glob(CLIPS), None) is not None


def _places(data: Path, lists: Path | None) -> Iterator[Path]:
    clips = find_clips(data)
    around = [lists] if lists else dict.fromkeys((data, clips, clips.parent, data.absolute().parent))
    for place in around:
        for below in BELOW:
            yield place / below
