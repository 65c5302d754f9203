"""Split lists as inputs of the step."""

from pathlib import Path

from reelflow.errors import ParamsError
from reelflow.files import exists
from reelflow.params import SplitLists
from reelflow.steps import where_it_exists


def list_inputs(lists: SplitLists | None) -> dict[str, Path]:
    """The files of the lists, as inputs of the step: the path in params says nothing of what they hold.

    Raises:
        ParamsError: one is there and is no file, such as a folder or a pipe.
    """
    for file in [lists.train, lists.test] if lists else []:
        if exists(Path(file)) and not Path(file).is_file():
            raise ParamsError(f"dataset.split_lists: {file!r} is not a regular file; name an existing list")
    return where_it_exists(train_list=lists.train, test_list=lists.test) if lists else {}
