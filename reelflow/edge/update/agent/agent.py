"""Follows a channel: fetch, verify, self-test, switch, and confirm or go back.

At every moment the link `current` leads to a whole, tested bundle. The order of a switch: the bundle is on
the disk, then the state says that it is on trial, then the link changes. The order of a way back: the state
says which bundle is the current one, then the link changes. Where there is none before, the link goes: what
was given up is not used. After a power cut the link is made to follow the state.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from reelflow.durable.replace import remove
from reelflow.edge.health.document import read_health, sign_of, unreadable
from reelflow.edge.update.agent.isolated import SelfTestLimits, examine_apart
from reelflow.edge.update.agent.state import AgentState, BundleTrial
from reelflow.edge.update.agent.versions import InstalledBundles
from reelflow.edge.update.channel.documents import BundleListing, Rollout, wanted
from reelflow.errors import BundleError
from reelflow.files import locked

LOCK = ".lock"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

Action = Literal[
    "unchanged",
    "available",
    "refused",
    "on trial",
    "waiting",
    "confirmed",
    "rolled back",
    "given up",
    "withdrawn",
]


class Channel(Protocol):
    """What the agent asks of a channel: `reelflow.edge.update.channel.client.ChannelClient`.

    Raises:
        ChannelError: from every method, where the channel is not reachable, or not to be trusted.
    """

    def refresh(self) -> Rollout:
        """What the channel says now."""

    def listing(self, bundle_id: str) -> BundleListing:
        """The files of a bundle."""

    def download(self, listing: BundleListing, into: Path, have: Sequence[Path]) -> None:
        """Fetch the files of a bundle; those that folders of `have` hold are taken from there."""


@dataclass(frozen=True)
class DeviceOptions:
    """Who the device is, and when a new bundle has proven itself.

    Attributes:
        device: its id.
        group: of devices, that a rollout may name.
        health: folder of what watchers say.
        well_after_s: seconds with answers after which a bundle is confirmed.
        most_starts: of a watcher with a new bundle, and of the device, without getting well.
        give_up_s: seconds without a watcher after which a bundle is given up.
        limits: of the self-test.
    """

    device: str
    group: str = ""
    health: Path = Path("/run/reelflow")
    well_after_s: float = 300.0
    most_starts: int = 3
    give_up_s: float = 1800.0
    limits: SelfTestLimits = field(default_factory=SelfTestLimits)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a call.

    Attributes:
        action: what was done, or found.
        bundle: the one that it is about; None if there is none.
        reason: for people.
    """

    action: Action
    bundle: str | None = None
    reason: str = ""


class DeviceAgent:
    """One device's bundles. Every method may be called after a kill or a power cut at any moment."""

    def __init__(self, folder: Path, options: DeviceOptions) -> None:
        """Name the folder; nothing is written yet.

        Args:
            folder: `versions/`, `current` and the agent's state.
            options: who the device is.
        """
        self._folder, self._options = folder, options
        self.bundles = InstalledBundles(folder)

    @property
    def state(self) -> AgentState:
        """What is remembered; what the link says where there is nothing, or after damage."""
        try:
            return AgentState.load(self._folder)
        except BundleError:
            return AgentState(current=self.bundles.linked)

    def check(self, channel: Channel) -> Outcome:
        """Ask the channel, and change nothing.

        Raises:
            ChannelError: it is not reachable, or not to be trusted.
        """
        state, rollout = self.state, channel.refresh()
        return self._offered(state, rollout)

    def apply(self, channel: Channel, *, again: bool = False) -> Outcome:
        """Fetch and test the channel's bundle, and put it on trial.

        Args:
            channel: of this device.
            again: try a bundle that was refused.

        Raises:
            ChannelError: it is not reachable, or not to be trusted; what was fetched is kept.
            StorageError: the disk is full or read-only; the current bundle stays.
        """
        with self._alone():
            state, rollout = self._settle(), channel.refresh()
            offered = self._offered(state, rollout)
            if again and offered.action == "refused" and offered.bundle:
                state = state.trusting(offered.bundle)
                offered = self._offered(state, rollout)
            if offered.action != "available" or not offered.bundle:
                return offered
            if state.trial and offered.bundle == state.current:  # the rollout was stopped
                self._return_to(state.rolled_back())
                return Outcome("withdrawn", state.trial.bundle, "the channel asks for the previous bundle")
            return self._take(state, channel, offered.bundle, rollout.number)

    def confirm(self) -> Outcome:
        """Keep the bundle that is on trial."""
        with self._alone():
            state = self._settle()
            if not state.trial:
                return Outcome("unchanged", state.current, "no bundle is on trial")
            return self._confirm(state)

    def rollback(self, reason: str) -> Outcome:
        """Go back to the bundle before, and do not try this one again.

        Raises:
            BundleError: there is no bundle before.
        """
        with self._alone():
            state = self._settle()
            before = state.current if state.trial else state.previous
            if before is None:
                raise BundleError("there is no bundle to go back to: this is the first one of this device")
            return self._go_back(state, reason)

    def leave(self, bundle: str, reason: str) -> Outcome:
        """Go back from a bundle if this device runs it, and else change nothing; it may be tried again."""
        with self._alone():
            state = self._settle()
            if state.intended != bundle or (state.trial is None and state.previous is None):
                return Outcome("unchanged", state.intended)
            return self._left(state, bundle, reason)

    def settle(self) -> AgentState:
        """Repair the state after a power cut; call it before watchers start."""
        with self._alone():
            return self._settle()

    def look(self, since_s: float) -> Outcome:
        """Look how the bundle on trial does; confirm it, or go back.

        Args:
            since_s: seconds since the last look, during which watchers could have run.
        """
        with self._alone():
            state = self.state
            trial = state.trial
            if trial is None:
                return Outcome("unchanged", state.current)
            watchers, options = read_health(self._options.health).values(), self._options
            sign = sign_of(trial.bundle, watchers, options.well_after_s, options.most_starts)
            if sign == "well":
                return self._confirm(state)
            if sign == "failing":
                return self._go_back(state, "a watcher starts with it again and again")
            if why := next((one.problem for one in watchers if one.is_fresh and one.problem), ""):
                return self._go_back(state, f"a watcher does not load it: {why}")
            if sign == "silent":
                return self._without_watcher(state, trial, since_s)
            return Outcome("waiting", trial.bundle, sign)

    def _without_watcher(self, state: AgentState, trial: BundleTrial, since_s: float) -> Outcome:
        """Wait for a watcher; a first bundle stays on trial, as nothing speaks against it."""
        waited_s = trial.waited_s + since_s
        why = f"no watcher has run with it for {waited_s:.0f} s{self._unread()}"
        is_over = waited_s > self._options.give_up_s
        if is_over and state.current:
            return self._go_back(state, why)
        state.tried(trial.model_copy(update={"waited_s": waited_s})).save(self._folder)
        if is_over:
            return Outcome("on trial", trial.bundle, f"{why}; it is the first bundle, and stays")
        return Outcome("waiting", trial.bundle, "silent")

    def _unread(self) -> str:
        """What this user may not read of what watchers say."""
        found = unreadable(self._options.health)
        return f"; what {', '.join(found)} tells below {self._options.health} cannot be read" if found else ""

    def _offered(self, state: AgentState, rollout: Rollout) -> Outcome:
        bundle = wanted(rollout, self._options.device, self._options.group)
        if bundle is None or bundle == state.intended:
            return Outcome("on trial" if state.trial else "unchanged", state.intended)
        if (why := state.why_refused(bundle)) is not None:
            return Outcome("refused", bundle, why)
        return Outcome("available", bundle)

    def _take(self, state: AgentState, channel: Channel, bundle: str, number: int) -> Outcome:
        """Fetch, verify, test, switch."""
        self.bundles.clean(state.kept, fetching=[bundle])
        is_here = self.bundles.is_whole(bundle)
        partial = self.bundles.partial(bundle)
        if not is_here:
            have = [path for path in map(self.bundles.path, sorted(state.kept)) if path.is_dir()]
            channel.download(channel.listing(bundle), partial, have)
        try:
            if not is_here:
                self.bundles.check(bundle, partial)
            examine_apart(self.bundles.path(bundle) if is_here else partial, self._options.limits)
        except BundleError as error:
            state.refusing(bundle, str(error)).save(self._folder)
            remove(partial)
            return Outcome("refused", bundle, str(error))
        if not is_here:
            self.bundles.install(bundle)
        trial = BundleTrial(bundle=bundle, number=number, boot=_boot())
        state.trusting(bundle).tried(trial).save(self._folder)
        self.bundles.switch(bundle)
        return Outcome("on trial", bundle)

    def _confirm(self, state: AgentState) -> Outcome:
        confirmed = state.confirmed()
        confirmed.save(self._folder)
        self.bundles.clean(confirmed.kept)
        return Outcome("confirmed", confirmed.current)

    def _go_back(self, state: AgentState, reason: str) -> Outcome:
        left = state.intended
        return self._left(state.refusing(left, reason) if left else state, left, reason)

    def _left(self, state: AgentState, bundle: str | None, reason: str) -> Outcome:
        """Go back to the previous bundle; without one, use no bundle."""
        found = self._return_to(state.rolled_back())
        return Outcome("rolled back" if found.intended else "given up", bundle, reason)

    def _return_to(self, state: AgentState) -> AgentState:
        state.save(self._folder)
        return self._follow(state)

    def _settle(self) -> AgentState:
        state = self.state
        if state.trial and state.trial.boot != _boot():
            boots = state.trial.boots + 1
            if boots > self._options.most_starts:
                self._go_back(state, f"the device has started {boots} times with it")
                return self.state
            trial = state.trial.model_copy(update={"boot": _boot(), "boots": boots})
            state = state.tried(trial)
            state.save(self._folder)
        return self._follow(state)

    def _follow(self, state: AgentState) -> AgentState:
        """Point the link to the intended bundle, else to the previous one; without either, remove it."""
        while state.intended and not self.bundles.is_whole(state.intended):
            state = state.rolled_back()  # the damaged one is not refused: it is fetched again
            state.save(self._folder)
        if state.intended is None:
            self.bundles.unlink()
        elif self.bundles.linked != state.intended:
            self.bundles.switch(state.intended)
        return state

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with locked(self._folder / LOCK):
            yield


def _boot() -> str:
    """The kernel's id of this start of the device."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""
