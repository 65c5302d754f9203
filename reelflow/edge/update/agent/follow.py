"""Follows a channel in rounds: ask, apply, and check a bundle on trial until it is confirmed or given up."""

import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event as Flag

from reelflow.edge.update.agent.agent import Channel, DeviceAgent, Outcome
from reelflow.edge.watch.systemd import ServiceManager
from reelflow.errors import ReelflowError

LOOK_EVERY_S = 10.0
JITTER = 0.1
FIRST_WITHIN_S = 60.0


class Follower:
    """Rounds of one agent, until it is told to stop."""

    def __init__(
        self,
        agent: DeviceAgent,
        channel: Channel,
        tell: Callable[[Outcome], object],
        fail: Callable[[ReelflowError], object],
        report: Callable[[], object] = lambda: None,
        *,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        """Prepare.

        Args:
            agent: of this device.
            channel: that it follows.
            tell: told what has come of each step.
            fail: told why a round was not possible; the next may be.
            report: called after each step.
            look_every_s: between two looks at a bundle on trial.
        """
        self._agent, self._channel, self._tell, self._fail = agent, channel, tell, fail
        self._report, self._look_every_s = report, look_every_s
        self._stop, self._manager = Flag(), ServiceManager()

    def stop(self) -> None:
        """End soon; may be called by a signal handler. A bundle on trial stays on trial."""
        self._stop.set()

    def every(self, seconds: float) -> None:
        """Follow for good, in intervals that differ by a tenth, so that devices do not ask all at once."""
        with self._served():
            self._tell_settled()
            self._wait(random.uniform(0, min(seconds, FIRST_WITHIN_S)))  # noqa: S311
            while not self._stop.is_set():
                self._round()
                self._wait(seconds * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311

    def once(self) -> Outcome:
        """One round.

        Raises:
            ReelflowError: the channel is not reachable, or not to be trusted; the disk is full.
        """
        with self._served():
            return self._followed(self._agent.apply(self._channel))

    def wait(self, within_s: float = math.inf) -> Outcome:
        """Look at the bundle on trial until it is confirmed or left; do nothing without one.

        Args:
            within_s: seconds after which it stays on trial, and is no longer waited for.
        """
        with self._served():
            self._tell_settled()
            return self._stay(within_s)

    def _round(self) -> None:
        try:
            self._followed(self._agent.apply(self._channel))
        except ReelflowError as error:
            self._fail(error)
            self._report()
            self._stay()  # with what may be on trial

    def _followed(self, outcome: Outcome) -> Outcome:
        self._say(outcome)
        return self._stay() if outcome.action == "on trial" else outcome

    def _stay(self, within_s: float = math.inf) -> Outcome:
        """Look at the bundle on trial until it is confirmed or left."""
        began_s = looked_s = time.monotonic()
        while True:
            now_s = time.monotonic()
            outcome = self._agent.look(now_s - looked_s)
            looked_s = now_s
            if outcome.action != "waiting":
                if outcome.action != "unchanged":
                    self._say(outcome)
                return outcome
            if self._stop.is_set() or now_s - began_s >= within_s:
                return outcome
            self._wait(min(self._look_every_s, began_s + within_s - now_s))

    def _tell_settled(self) -> None:
        state = self._agent.settle()
        if state.trial:
            self._say(Outcome("on trial", state.trial.bundle, "since before this start"))

    def _say(self, outcome: Outcome) -> None:
        self._manager.status(f"{outcome.action} {(outcome.bundle or '')[:12]} {outcome.reason}".strip())
        self._tell(outcome)
        self._report()

    def _wait(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while not self._stop.is_set() and (left_s := until_s - time.monotonic()) > 0:
            self._manager.alive()
            self._stop.wait(min(left_s, 1.0))

    @contextmanager
    def _served(self) -> Iterator[None]:
        self._manager.ready()
        try:
            yield
        finally:
            self._manager.stopping()
