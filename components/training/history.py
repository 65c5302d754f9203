"""Metrics per epoch: selects the best epoch and decides when to stop."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

CURVES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
Figures = dict[str, float]


@dataclass
class History:
    """One dict of metrics per epoch, by the names in `CURVES`; epochs count from 1.

    A training without validation clips has no validation metrics.
    """

    rows: list[Figures] = field(default_factory=list)

    @classmethod
    def from_table(cls, table: NDArray[np.float64]) -> "History":
        """From `(epochs, curves)`, in the order of `CURVES`; NaN means not measured."""
        rows = (zip(CURVES, row, strict=True) for row in table.tolist())
        return cls([{name: value for name, value in row if not math.isnan(value)} for row in rows])

    def to_table(self) -> NDArray[np.float64]:
        """The inverse of `from_table`."""
        rows = [[row.get(name, math.nan) for name in CURVES] for row in self.rows]
        return np.array(rows, np.float64).reshape(-1, len(CURVES))

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return len(self.rows)

    @property
    def best_epoch(self) -> int:
        """The first epoch with the lowest validation loss; 0 before it, or without validation clips."""
        losses = [row["validation_loss"] for row in self.rows if "validation_loss" in row]
        return losses.index(min(losses)) + 1 if losses else 0

    def is_stalled(self, patience: int) -> bool:
        """Whether the last `patience` epochs did not improve the validation loss."""
        return self.epochs - self.best_epoch >= patience

    def curves(self) -> dict[str, tuple[float, ...]]:
        """Metrics by name, one value per epoch."""
        return {name: tuple(row[name] for row in self.rows) for name in CURVES}
