"""Messages between two threads: old pictures of a live source are dropped if not taken in time."""

from collections import deque
from threading import Condition

from reelflow.edge.camera.wire import Told


class Mailbox:
    """Holds a bounded number of messages, in order.

    Attributes:
        dropped: pictures that nobody has seen.
    """

    def __init__(self, size: int, max_bytes: int, *, drops: bool) -> None:
        """Empty; a full one drops its oldest picture, or lets `put` wait.

        Args:
            size: messages that may wait.
            max_bytes: of pictures that may wait; a larger one waits alone.
            drops: nobody waits.
        """
        self.dropped = 0
        self._size, self._max_bytes, self._drops = size, max_bytes, drops
        self._waiting: deque[Told] = deque()
        self._changed = Condition()
        self._closed = self._lost_a_beginning = False

    def put(self, told: Told) -> bool:
        """Add a message; False once nobody takes any."""
        with self._changed:
            while self._is_full(_size_bytes(told)) and not self._closed:
                if not self._drops:
                    self._changed.wait()
                elif not self._drop():
                    break
            if not self._closed or told.image is None:
                self._waiting.append(told)
            self._changed.notify_all()
            return not self._closed

    def take(self, timeout_s: float) -> Told | None:
        """The oldest message; None if no message comes in this time."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting, timeout_s):
                return None
            told = self._waiting.popleft()
            self._changed.notify_all()
            if not self._lost_a_beginning or told.image is None:
                return told
            self._lost_a_beginning = False
            return told._replace(header=told.header.model_copy(update={"begins": True}))

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_full(self, more_bytes: int) -> bool:
        held_bytes = sum(map(_size_bytes, self._waiting))
        too_large = held_bytes > 0 and held_bytes + more_bytes > self._max_bytes
        return len(self._waiting) >= self._size or too_large

    def _drop(self) -> bool:
        """The oldest picture goes, if there is one; that a part began with it is told with the next."""
        place = next((n for n, told in enumerate(self._waiting) if told.image is not None), None)
        if place is None:
            return False
        self._lost_a_beginning |= self._waiting[place].header.begins
        del self._waiting[place]
        self.dropped += 1
        return True


def _size_bytes(told: Told) -> int:
    return 0 if told.image is None else told.image.nbytes
