"""The gates of a version, kept as one tag of it: later promotions judge by the same figures."""

import json
from collections.abc import Mapping

import pydantic

from reelflow.contracts import Gate
from reelflow.documents import Document
from reelflow.errors import BundleError

TAG = "gates"
CODE_TAG = "code_commit"


class GateRecord(Document):
    """What the release step found."""

    against: int | None
    """The champion that the version was compared with; null if there was no other."""
    gates: tuple[Gate, ...]

    @property
    def failed(self) -> tuple[Gate, ...]:
        """Those that were not passed."""
        return tuple(gate for gate in self.gates if not gate.passed)

    def tags(self) -> dict[str, str]:
        """As a tag of the version."""
        return {TAG: json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))}

    @classmethod
    def of_tags(cls, tags: Mapping[str, str]) -> "GateRecord | None":
        """Read the tag; None for a version that was registered before gates were kept.

        Raises:
            BundleError: somebody has changed the tag.
        """
        if TAG not in tags:
            return None
        try:
            return cls.model_validate_json(tags[TAG])
        except pydantic.ValidationError:
            raise BundleError(
                f"the tag {TAG!r} of the version is not what the release step writes: run that step again"
            ) from None
