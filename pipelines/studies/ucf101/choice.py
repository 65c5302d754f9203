"""What the command line says about a study on UCF101."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.studies.ucf101.find import find_clips, find_lists
from reelflow.params import Params


@dataclass(frozen=True)
class Asked:
    """What to reproduce.

    Attributes:
        params: those of the study, with the data, lists and weights of this machine.
        split: of the official lists.
        random: whether the random cut is run too.
        changed: values that are not the study's own, in words.
    """

    params: Params
    split: int
    random: bool = True
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """Values of the command line; None and empty ones keep those of the study."""

    data: Path
    lists: Path | None = None
    split: int = 1
    validation: Literal["group", "random"] = "group"
    weights: Path | None = None
    backbones: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    epochs: int | None = None

    def within(self, params: Params) -> Params:
        """The params with this in their place.

        Raises:
            ParamsError: the clips' folder or the lists are not there, or a value cannot be used.
            DataError: the folder holds no clips of UCF101.
        """
        train, test = (str(path.absolute()) for path in find_lists(self.data, self.lists, self.split))
        return params.with_values(
            dataset={
                "source": str(find_clips(self.data).absolute()),
                "split": self.validation,
                "split_lists": {"train": train, "test": test, "incomplete": "split"},
            },
            features=_given(
                weights=str(self.weights.absolute()) if self.weights else None, backbones=self.backbones
            ),
            training=_given(heads=self.heads, epochs=self.epochs),
        )


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value}
