"""What a training needs to know, as one document: a worker of a team is another process."""

from pathlib import Path

from reelflow.documents import Document
from reelflow.params import TrainingParams

WORK = "checkpoints"


class TrainingJob(Document):
    """The arguments of the training step.

    Attributes:
        params: optimiser, schedule and sizes.
        head: one of `reelflow.nets.heads.HEAD_NAMES`.
        protocol: the evaluation protocol, as text of `reelflow.splitting.protocols.Protocol`.
        dataset: folder of the dataset step.
        features: folder of the features step.
        model: the output; holds `model.keras`, `curves.csv`, scores and `training.json`.
        teachers: the models of `params.teacher`, as `reelflow.tracking.teachers.gathered` lays them out.
        inflate: the file of `params.video.inflate`.
    """

    params: TrainingParams
    head: str
    protocol: str
    dataset: Path
    features: Path
    model: Path
    teachers: Path | None = None
    inflate: Path | None = None

    @property
    def work(self) -> Path:
        """The folder of checkpoints, and of what workers tell; it goes when the output is whole."""
        return self.model / WORK
