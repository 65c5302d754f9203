"""Where an image comes from: its base, and the revision of the checkout."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.images import engine
from infra.images.commands import ask
from infra.images.context import ROOT
from reelflow import __version__


@dataclass(frozen=True)
class Source:
    """The sources of an image.

    Attributes:
        base: reference of the image that it is built on.
        base_digest: digest of that image.
        revision: commit of the checkout; empty if it has none.
        created: time of the commit, so that the same sources give the same label.
    """

    base: str
    base_digest: str
    revision: str
    created: str

    def labels(self, name: str) -> dict[str, str]:
        """OCI's labels of an image."""
        of = "org.opencontainers.image"
        return {
            f"{of}.title": f"reelflow-{name}",
            f"{of}.description": f"reelflow: the image of {name}",
            f"{of}.version": __version__,
            f"{of}.revision": self.revision or "unknown",
            f"{of}.created": self.created,
            f"{of}.licenses": "Apache-2.0",
            f"{of}.base.name": self.base.partition("@")[0],
            f"{of}.base.digest": self.base_digest,
        }


def source_of(base: str) -> Source:
    """The source of images on this base, built from this checkout."""
    revision = ask("git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")
    seconds = os.environ.get("SOURCE_DATE_EPOCH") or ask("git", "-C", str(ROOT), "log", "-1", "--format=%ct")
    created = datetime.fromtimestamp(int(seconds or 0), UTC).isoformat().replace("+00:00", "Z")
    _, at, digest = base.partition("@")
    return Source(base, digest if at else engine.image_id(base), revision, created)
