"""For the process that starts workers: it imports this before the first of them.

A pool that has its last outcome ends while a worker may still be starting. The worker may then find the
pool's locks and pipes gone, and multiprocessing's forkserver would print the traceback (CPython's
`forkserver.main` passes the exception of a start to `sys.excepthook`, and no error of the work).
"""

import sys
from types import TracebackType


def say_unless_the_pool_is_gone(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print an exception as Python does, unless it only says that nobody waits for this worker."""
    if not issubclass(kind, OSError | EOFError):
        sys.__excepthook__(kind, error, trace)


sys.excepthook = say_unless_the_pool_is_gone
