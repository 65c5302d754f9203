"""Pictures between two threads: in order, bounded, the oldest go first or nobody goes."""

from threading import Thread

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reelflow.edge.camera.mailbox import Mailbox
from reelflow.edge.camera.wire import Header, Told

PICTURE = np.zeros((1, 1, 3), np.uint8)
PLENTY = 10**9


def picture(number: int, *, begins: bool = False) -> Told:
    return Told(Header(kind="frame", times_s=(float(number),), begins=begins), PICTURE)


def told(kind) -> Told:
    return Told(Header(kind=kind), None)


def rest(mail: Mailbox) -> list[Told]:
    return list(iter(lambda: mail.take(0), None))


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=30))
def test_the_newest_pictures_stay_and_the_others_are_counted(size, begins):
    mail = Mailbox(size, PLENTY, drops=True)
    for number, begin in enumerate(begins):
        assert mail.put(picture(number, begins=begin))
    left = rest(mail)
    times = [one.header.times_s[0] for one in left]
    assert times == list(range(len(begins)))[-size:]
    assert mail.dropped == max(0, len(begins) - size)
    if left and any(begins[: len(begins) - size + 1]):
        assert left[0].header.begins, "a break in time is never lost"


def test_what_is_no_picture_is_never_dropped():
    mail = Mailbox(2, PLENTY, drops=True)
    for one in (told("opened"), picture(1), picture(2), told("failed"), told("opened"), picture(3)):
        mail.put(one)
    assert [one.header.kind for one in rest(mail)] == ["opened", "failed", "opened", "frame"]
    assert mail.dropped == 2


def test_of_a_file_nothing_is_dropped_and_the_reader_waits():
    mail, done = Mailbox(2, PLENTY, drops=False), []
    reader = Thread(target=lambda: done.extend(mail.put(picture(number)) for number in range(10)))
    reader.start()
    found = [mail.take(10) for _ in range(10)]
    reader.join(10)
    assert [one.header.times_s[0] for one in found if one] == list(range(10))
    assert mail.dropped == 0


def test_a_reader_that_waits_goes_on_when_nobody_takes_any_more():
    mail, done = Mailbox(1, PLENTY, drops=False), []
    reader = Thread(target=lambda: done.extend([mail.put(picture(0)), mail.put(picture(1))]))
    reader.start()
    while not mail._waiting:
        pass
    mail.close()
    reader.join(10)
    assert done[-1] is False


def test_large_pictures_are_fewer_and_one_always_has_room():
    mail = Mailbox(8, 2 * PICTURE.nbytes, drops=True)
    for number in range(5):
        mail.put(picture(number))
    assert [one.header.times_s[0] for one in rest(mail)] == [3, 4]
    mail = Mailbox(8, 1, drops=True)
    for number in range(5):
        mail.put(picture(number))
    assert [one.header.times_s[0] for one in rest(mail)] == [4]
    assert mail.dropped == 4
