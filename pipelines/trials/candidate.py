"""A point of the search space: what a trial trains."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipelines.trials.space import Range, Space
from reelflow.documents import Document
from reelflow.params import Params

if TYPE_CHECKING:
    from optuna import Trial

DIGITS = 3  # of what is drawn from a range of fractions


class SweepCandidate(Document):
    """A head on a backbone's views, and its hyperparameters."""

    family: str
    backbone: str
    head: str
    views: tuple[str, ...]
    training: dict[str, Any]

    def within(self, params: Params) -> Params:
        """The params with this choice.

        Raises:
            ParamsError: the values are not compatible.
        """
        return params.with_values(
            features={"backbones": [self.backbone], "views": list(self.views)},
            training={**self.training, "heads": [self.head]},
        )

    def values(self) -> dict[str, str]:
        """All values as text, by name."""
        plain = {"backbone": self.backbone, "head": self.head, "features.views": " ".join(self.views)}
        return plain | {name: _text(value) for name, value in self.training.items()}

    def in_words(self) -> str:
        """Such as `thumbnail gru, features.views plain flip, units 64`."""
        rest = [f"{name} {text}" for name, text in self.values().items() if name not in ("backbone", "head")]
        return ", ".join([f"{self.backbone} {self.head}", *rest])


def suggest(trial: "Trial", space: Space, backbones: Sequence[str]) -> SweepCandidate:
    """Let the sampler choose; a single possibility is not sampled."""
    name = _pick(trial, "family", list(space.families))
    family = space.families[name]
    return SweepCandidate(
        family=name,
        backbone=_pick(trial, "backbone", backbones),
        head=_pick(trial, f"{name}.head", family.heads),
        views=_pick(trial, f"{name}.features.views", family.views),
        training={
            field: _draw(trial, f"{name}.{field}", found)
            if isinstance(found, Range)
            else _pick(trial, f"{name}.{field}", found)
            for field, found in family.training.items()
        },
    )


def first_of(space: Space, number: int) -> dict[str, str]:
    """Fixed choices of the first trials: every head once."""
    heads = [(name, head) for name, family in space.families.items() for head in family.heads]
    if number > len(heads):
        return {}
    family, head = heads[number - 1]
    return {"family": family, f"{family}.head": head}


def _pick(trial: "Trial", name: str, choices: Sequence[Any]) -> Any:
    """One item of a list; passed to Optuna as text, which takes no lists."""
    texts = {_text(choice): choice for choice in choices}
    return choices[0] if len(texts) == 1 else texts[trial.suggest_categorical(name, list(texts))]


def _draw(trial: "Trial", name: str, found: Range) -> int | float:
    """A number in a range, rounded to three digits."""
    if isinstance(found.low, int) and isinstance(found.high, int):
        return trial.suggest_int(name, found.low, found.high, log=found.log)
    drawn = trial.suggest_float(name, found.low, found.high, log=found.log)
    return min(max(float(f"{drawn:.{DIGITS}g}"), found.low), found.high)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
