"""Results of a search: honest and tuned accuracy, and the selected values."""

from pydantic import Field

from pipelines.trials.candidate import SweepCandidate
from reelflow.contracts import Interval
from reelflow.documents import Document

FILE, PAGE, PICTURE, BEST = "sweep.json", "sweep.md", "sweep.png", "best.yaml"
RESULTS = (FILE, PAGE, PICTURE, BEST)


class StudyResult(Document):
    """One study: its trials, and the best of them."""

    name: str = Field(description="of the outer fold, or all clips")
    clips: int = Field(description="that the study chose on")
    complete: int
    pruned: int
    failed: int
    chosen: SweepCandidate
    tuned_accuracy: float = Field(description="of the best trial on the clips that chose it: optimistic")
    test_clips: int = Field(description="of the outer fold; 0 for all clips")
    accuracy: float | None = Field(description="of the best trial's values on these; null without any")


class SweepReport(Document):
    """`sweep.json`: an accuracy measured on clips that no part of the search has seen."""

    protocol: str = Field(description="by which clips were held out from the search")
    inner: str = Field(description="by which trials were judged, inside the other clips")
    accuracy: float = Field(description="honest: of the procedure `search, then train`, outer folds pooled")
    interval: Interval = Field(description="of 95 %, by resampling whole groups")
    single_group: bool = Field(description="all tested clips are of one group: the interval is over clips")
    tuned_accuracy: float = Field(description="of the chosen values on the clips that chose them: optimistic")
    optimism: float = Field(description="the tuned accuracy less the honest one")
    chosen: SweepCandidate
    agreement: float = Field(description="fraction of outer folds that selected the same head and backbone")
    test_clips: int
    groups: int = Field(description="of the tested clips")
    studies: tuple[StudyResult, ...] = Field(description="one an outer fold; then, behind several, all clips")
