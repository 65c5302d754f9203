"""Split lists as inputs of the step."""

from pathlib import Path

from reelflow.params import SplitLists
from reelflow.steps import where_it_exists


def list_inputs(lists: SplitLists | None) -> dict[str, Path]:
    """The files of the lists, as inputs of the step: the path in params says nothing of what they hold."""
    return where_it_exists(train_list=lists.train, test_list=lists.test) if lists else {}
