"""One choice out of the space: what a trial tries."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipelines.sweep.space import Range, Space
from reelflow.documents import Document
from reelflow.params import Params

if TYPE_CHECKING:
    from optuna import Trial

DIGITS = 3  # of what is drawn from a range of fractions


class SweepCandidate(Document):
    """A head on a backbone's views, and the values that it is trained with."""

    family: str
    backbone: str
    head: str
    views: tuple[str, ...]
    training: dict[str, Any]

    def within(self, params: Params) -> Params:
        """The params with this choice in their place.

        Raises:
            ParamsError: the values do not go together.
        """
        return params.with_values(
            features={"backbones": [self.backbone], "views": list(self.views)},
            training={**self.training, "heads": [self.head]},
        )

    def values(self) -> dict[str, str]:
        """Everything as text, by name; `views` alone is the training section's."""
        plain = {"backbone": self.backbone, "head": self.head, "features.views": " ".join(self.views)}
        return plain | {name: _text(value) for name, value in self.training.items()}

    def in_words(self) -> str:
        """As `thumbnail gru, features.views plain flip, units 64`."""
        rest = [f"{name} {text}" for name, text in self.values().items() if name not in ("backbone", "head")]
        return ", ".join([f"{self.backbone} {self.head}", *rest])


def suggest(trial: "Trial", space: Space, backbones: Sequence[str]) -> SweepCandidate:
    """Let the sampler choose; where there is one possibility nothing is asked."""
    name = _pick(trial, "family", list(space.families))
    family = space.families[name]
    return SweepCandidate(
        family=name,
        backbone=_pick(trial, "backbone", backbones),
        head=_pick(trial, f"{name}.head", family.heads),
        views=_pick(trial, f"{name}.views", family.views),
        training={
            field: _draw(trial, f"{name}.{field}", found)
            if isinstance(found, Range)
            else _pick(trial, f"{name}.{field}", found)
            for field, found in family.training.items()
        },
    )


def first_of(space: Space, number: int) -> dict[str, str]:
    """What a study's first trials are told: every head comes once; then nothing."""
    heads = [(name, head) for name, family in space.families.items() for head in family.heads]
    if number > len(heads):
        return {}
    family, head = heads[number - 1]
    return {"family": family, f"{family}.head": head}


def _pick(trial: "Trial", name: str, choices: Sequence[Any]) -> Any:
    """One of a list; to Optuna each is a text, for lists are no choices there."""
    texts = {_text(choice): choice for choice in choices}
    return choices[0] if len(texts) == 1 else texts[trial.suggest_categorical(name, list(texts))]


def _draw(trial: "Trial", name: str, found: Range) -> int | float:
    """A number of a range, to three digits."""
    if isinstance(found.low, int) and isinstance(found.high, int):
        return trial.suggest_int(name, found.low, found.high, log=found.log)
    drawn = trial.suggest_float(name, found.low, found.high, log=found.log)
    return min(max(float(f"{drawn:.{DIGITS}g}"), found.low), found.high)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
