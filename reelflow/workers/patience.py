"""Waits for servers that are away: what may pass is tried again, after growing, jittered waits."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from reelflow.errors import ReelflowError
from reelflow.progress import emit

if TYPE_CHECKING:
    from tenacity import RetryCallState

Result = TypeVar("Result")
FIRST_S, LONGEST_S = 1.0, 60.0


def patiently(work: Callable[[], Result], patience_s: float) -> Result:
    """Do some work; where it fails for a reason that may pass, do it again.

    Args:
        work: can be done again.
        patience_s: seconds from the first attempt on; 0 for one attempt.

    Raises:
        ReelflowError: of the last attempt; at once if its reason cannot pass.
    """
    from tenacity import Retrying, retry_if_exception, stop_before_delay, wait_exponential_jitter

    attempts = Retrying(
        retry=retry_if_exception(_may_pass),
        stop=stop_before_delay(patience_s),
        wait=wait_exponential_jitter(multiplier=FIRST_S, max=LONGEST_S, jitter=FIRST_S),
        before_sleep=_tell,
        reraise=True,
    )
    return attempts(work)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, ReelflowError) and error.may_pass


def _tell(state: "RetryCallState") -> None:
    error = state.outcome.exception() if state.outcome else None
    wait_s = state.next_action.sleep if state.next_action else 0
    emit("notice", message=f"{error}; attempt {state.attempt_number + 1} follows in {wait_s:.0f} s")
