"""The report of a device: the bundle in use, health and answers of its watchers. No pictures."""

import platform
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from reelflow import __version__
from reelflow.contracts import Sha256
from reelflow.documents import Document
from reelflow.edge.health.counts import DayCounts
from reelflow.edge.health.document import read_health
from reelflow.edge.health.kept import KeptCounts
from reelflow.edge.sinks.address import parse_address
from reelflow.edge.sinks.delivery import RefusedError, UndeliveredError
from reelflow.edge.sinks.webhook import Webhook
from reelflow.edge.update.agent.agent import DeviceAgent, DeviceOptions
from reelflow.edge.update.agent.state import AgentState, RefusedBundle
from reelflow.errors import StorageError

MOST_REFUSED, MOST_COUNTS = 10, 100


class DeviceReport(Document):
    """One device, when it tells.

    Attributes:
        rollout: number of the rollout that the bundle on trial comes from.
        watchers: names of cameras, with seconds of answers since their last start; null: not running.
        counts: of the last days.
    """

    kind: Literal["report"] = "report"
    device: str = Field(min_length=1, max_length=200)
    group: str = Field(default="", max_length=200)
    told_at: datetime
    version: str = Field(max_length=100, description="of reelflow")
    architecture: str = Field(max_length=100)
    current: Sha256 | None
    previous: Sha256 | None
    trial: Sha256 | None
    refused: tuple[RefusedBundle, ...] = Field(max_length=MOST_REFUSED)
    watchers: dict[str, float | None] = Field(max_length=1000)
    counts: tuple[DayCounts, ...] = Field(max_length=MOST_COUNTS)


def report_of(state: AgentState, options: DeviceOptions, counts: Sequence[DayCounts] = ()) -> DeviceReport:
    """What a device tells now; `counts` of the last days."""
    health = read_health(options.health)
    return DeviceReport(
        device=options.device,
        group=options.group,
        told_at=datetime.now(UTC).replace(microsecond=0),
        version=__version__,
        architecture=platform.machine(),
        current=state.current,
        previous=state.previous,
        trial=state.trial.bundle if state.trial else None,
        refused=state.refused[-MOST_REFUSED:],
        watchers={name: one.answering_s if one.is_fresh else None for name, one in health.items()},
        counts=tuple(counts)[-MOST_COUNTS:],
    )


class ReportPost:
    """Sends reports to an address. Nothing that goes wrong here touches an update."""

    def __init__(self, address: str) -> None:
        """Name the receiver.

        Raises:
            ParamsError: the address is none.
        """
        self._target = parse_address(address)
        self._hook = Webhook(self._target)

    def send(self, report: DeviceReport) -> str:
        """Send a report; why it could not be sent, or an empty text."""
        try:
            self._hook.deliver(report.to_json())
        except (UndeliveredError, RefusedError) as error:
            return str(error)
        return ""


class FleetReporter:
    """Tells the fleet how a device does, and keeps what was counted; what fails changes nothing."""

    def __init__(
        self,
        address: str,
        agent: DeviceAgent,
        options: DeviceOptions,
        kept: Path,
        tell: Callable[[str], object],
    ) -> None:
        """Name the receiver.

        Args:
            address: of the receiver.
            agent: whose state is told.
            options: of the agent.
            kept: folder of counts that outlive a start of the device.
            tell: told what goes wrong.

        Raises:
            ParamsError: the address is none.
        """
        self._post, self._agent, self._options, self._tell = ReportPost(address), agent, options, tell
        self._counts = KeptCounts(kept, options.health)

    def report(self) -> None:
        """Send a report."""
        self._keep(at_once=False)
        told = report_of(self._agent.state, self._options, self._counts.last_days())
        if problem := self._post.send(told):
            self._tell(f"no report is sent to the fleet: {problem}")

    def close(self) -> None:
        """Keep what was counted since the last hour."""
        self._keep(at_once=True)

    def _keep(self, *, at_once: bool) -> None:
        try:
            self._counts.keep(at_once=at_once)
        except StorageError as error:
            self._tell(f"the counts of watchers are not kept: {error}")
