"""What the agent remembers: the bundle in use, the one on trial, and those that are not tried again."""

from pathlib import Path
from typing import Self

from pydantic import Field

from reelflow.contracts import Sha256
from reelflow.documents import Document
from reelflow.files import write_text

STATE = "agent.json"
MAX_REFUSED, SHOWN = 100, 12


class BundleTrial(Document):
    """A bundle that devices run, but that has not proven itself.

    Attributes:
        waited_s: seconds that the agent has waited for a watcher that is healthy with it.
        boots: how often the device has started since.
        boot: the kernel's id of the current start.
    """

    bundle: Sha256
    number: int = Field(default=0, ge=0, description="of the rollout that asked for it")
    waited_s: float = Field(default=0.0, ge=0)
    boots: int = Field(default=0, ge=0)
    boot: str = ""


class RefusedBundle(Document):
    """A bundle that is not tried again."""

    bundle: Sha256
    reason: str


class AgentState(Document):
    """All that has to outlive a power cut; the link `current` follows from it.

    Attributes:
        current: the bundle that has proven itself.
        previous: the one before it.
        trial: the bundle that is tried; the link leads to it meanwhile.
        refused: bundles that are not tried again; the oldest are forgotten first.
    """

    current: Sha256 | None = None
    previous: Sha256 | None = None
    trial: BundleTrial | None = None
    refused: tuple[RefusedBundle, ...] = ()

    @property
    def intended(self) -> str | None:
        """The bundle that the link is to lead to."""
        return self.trial.bundle if self.trial else self.current

    @property
    def kept(self) -> set[str]:
        """The bundles whose folders are kept."""
        return {one for one in (self.intended, self.current, self.previous) if one}

    def tried(self, trial: BundleTrial) -> Self:
        """With a bundle on trial."""
        return self.model_copy(update={"trial": trial})

    def confirmed(self) -> Self:
        """With the bundle on trial as the current one."""
        if not self.trial:
            return self
        made = {"current": self.trial.bundle, "previous": self.current, "trial": None}
        return self.model_copy(update=made)

    def rolled_back(self) -> Self:
        """With the bundle before the intended one."""
        if self.trial:
            return self.model_copy(update={"trial": None})
        return self.model_copy(update={"current": self.previous, "previous": None})

    def refusing(self, bundle: str, reason: str) -> Self:
        """With one more bundle that is not tried again."""
        refused = (*self.trusting(bundle).refused, RefusedBundle(bundle=bundle, reason=reason))
        return self.model_copy(update={"refused": refused[-MAX_REFUSED:]})

    def trusting(self, bundle: str) -> Self:
        """With a bundle that may be tried again."""
        refused = tuple(one for one in self.refused if one.bundle != bundle)
        return self.model_copy(update={"refused": refused})

    @property
    def why_none(self) -> str:
        """Why no bundle is in use; empty if one is."""
        if self.intended:
            return ""
        if not self.refused:
            return "no bundle has arrived yet, or the disk has damaged it"
        last = self.refused[-1]
        return f"{last.bundle[:SHOWN]} was given up, and there is no previous bundle: {last.reason}"

    def why_refused(self, bundle: str) -> str | None:
        """Why a bundle is not tried again; None if it may be."""
        return next((one.reason for one in self.refused if one.bundle == bundle), None)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The state in a folder.

        Raises:
            BundleError: there is none, or it is damaged.
        """
        return cls.read(folder / STATE)

    def save(self, folder: Path) -> None:
        """Write it; after this it outlives a power cut.

        Raises:
            StorageError: the disk is full or read-only.
        """
        write_text(folder / STATE, self.to_json())
