"""RTC memory shared by two owners that know nothing of each other."""

from core.rtc import shared


class Rtc:
    """As `machine.RTC`; it outlives a reset of the node."""

    def __init__(self):
        self.kept = b""

    def memory(self, data=None):
        if data is None:
            return self.kept
        self.kept = bytes(data)


def test_two_parts_keep_their_contents_apart_over_a_reset():
    rtc = Rtc()
    first, second = shared(rtc)
    assert first.read() == second.read() == b""
    first.write(b"a" * 382)
    second.write(b"b" * 638)
    first.write(b"short")
    again = shared(rtc)
    assert [part.read() for part in again] == [b"short", b"b" * 638]
    assert len(rtc.kept) == 1024


def test_the_first_part_begins_where_rtc_memory_begins():
    rtc = Rtc()
    shared(rtc)[0].write(b"TPO1")
    assert rtc.kept[:4] == b"TPO1"


def test_the_content_of_an_image_with_one_owner_is_ignored():
    rtc = Rtc()
    rtc.memory(b"x" * 354)
    assert [part.read() for part in shared(rtc)] == [b"", b""]


def test_a_damaged_length_reads_no_further_than_the_part():
    rtc = Rtc()
    first, second = shared(rtc)
    second.write(b"session")
    rtc.kept = rtc.kept[:382] + b"\xff\xff" + rtc.kept[384:]
    first, second = shared(rtc)
    assert len(first.read()) == 382 and second.read() == b"session"


def test_content_that_is_too_long_is_refused():
    for part, room in zip(shared(Rtc()), (382, 638)):
        try:
            part.write(bytes(room + 1))
        except ValueError as error:
            assert str(room) in str(error)
        else:
            raise AssertionError("it was accepted")
