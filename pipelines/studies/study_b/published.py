"""What study B (2020) published of its ConvLSTM-C2D residual network, and quoted of others."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from pipelines.studies.ucf101.results import Pair

BACKBONE = "pixels"
SCRATCH, PRETRAINED = "softmax_from_scratch", "linear_svm_pretrained"


@dataclass(frozen=True)
class PublishedNetwork:
    """A row of the study's table; None is something that it does not give.

    Attributes:
        name: of the network.
        classifier: what stands on it, and how it was trained.
        accuracy: on UCF101; the study does not say by which cut.
        head: ours of the same layers; empty if there is none.
        size_mb: of its weights in float32.
        training_minutes: all epochs, on six GTX 1080 Ti.
        epoch_minutes: one epoch, on six GTX 1080 Ti.
        clips_per_s: inference on one GTX 1080 Ti.
        clips_a_video: that an answer for a video needs.
    """

    name: str
    classifier: str
    accuracy: Decimal
    head: str = ""
    size_mb: int | None = None
    training_minutes: int | None = None
    epoch_minutes: int | None = None
    clips_per_s: Decimal | None = None
    clips_a_video: int | None = None

    @property
    def videos_per_s(self) -> Decimal | None:
        """Derived: clips a second by the clips that a video needs."""
        return self.clips_per_s / self.clips_a_video if self.clips_per_s and self.clips_a_video else None


NETWORKS = (
    PublishedNetwork("c3d", PRETRAINED, Decimal("0.8230")),
    PublishedNetwork("resnet_152", PRETRAINED, Decimal("0.8350")),
    PublishedNetwork("p3d_resnet_199", PRETRAINED, Decimal("0.8860")),
    PublishedNetwork(
        *("p3d_resnet_199", SCRATCH, Decimal("0.8879"), "p3d_199"),
        size_mb=261,
        training_minutes=925,
        epoch_minutes=13,
        clips_per_s=Decimal("194.5"),
        clips_a_video=21,
    ),
    PublishedNetwork(
        *("convlstm_c2d_resnet_63", SCRATCH, Decimal("0.9557"), "convlstm_c2d_63"),
        size_mb=236,
        training_minutes=536,
        epoch_minutes=39,
        clips_per_s=Decimal("36.95"),
        clips_a_video=1,
    ),
)
OURS: Mapping[Pair, PublishedNetwork] = {(BACKBONE, one.head): one for one in NETWORKS if one.head}
"""Published figures of networks that reelflow has, by backbone and head."""
ACCURACIES: Mapping[Pair, Decimal] = {pair: one.accuracy for pair, one in OURS.items()}
CLIPS_OF_P3D = 21
"""Clips of a video that the study's P3D needs."""
