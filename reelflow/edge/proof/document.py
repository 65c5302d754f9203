"""A bundle's answers on one machine, to be compared with those on another."""

from pydantic import Field

from reelflow.contracts import Sha256
from reelflow.documents import Document

MAX_SCORE_DIFFERENCE = 0.05
"""Of one score: as the self-test allows for heads of dynamic range (reelflow.edge.selftest)."""


class ProvenAnswer(Document):
    """The answer for one clip."""

    sha256: Sha256 = Field(description="of the clip")
    label: str
    scores: dict[str, float]

    def is_like(self, other: "ProvenAnswer") -> bool:
        """Whether labels are the same, or as good as tied, and scores differ by kernels alone."""
        if self.scores.keys() != other.scores.keys() or self.difference(other) > MAX_SCORE_DIFFERENCE:
            return False
        return self.scores[self.label] - self.scores[other.label] <= MAX_SCORE_DIFFERENCE

    def difference(self, other: "ProvenAnswer") -> float:
        """The largest difference of a score."""
        return max(abs(score - other.scores[label]) for label, score in self.scores.items())


class Proof(Document):
    """A bundle that has passed its self-test on a machine, and what it answers there."""

    architecture: str = Field(description="as the kernel calls it: x86_64, aarch64")
    libraries: dict[str, str] = Field(description="versions of what decodes and computes")
    code: Sha256 = Field(description="of the package reelflow that was run")
    bundle: Sha256 = Field(description="of `bundle.json`")
    classified: tuple[ProvenAnswer, ...] = Field(description="what `classify` says of each clip")
    watched: tuple[ProvenAnswer, ...] = Field(description="every answer of `watch` on the longest clip")

    def alike(self, other: "Proof") -> float:
        """The share of answers of this proof that another one has too."""
        if self.bundle != other.bundle or len(self.watched) != len(other.watched):
            return 0.0
        theirs = {answer.sha256: answer for answer in other.classified}
        pairs = [(mine, theirs.get(mine.sha256)) for mine in self.classified]
        pairs += zip(self.watched, other.watched, strict=True)
        return sum(bool(their and mine.is_like(their)) for mine, their in pairs) / len(pairs)
