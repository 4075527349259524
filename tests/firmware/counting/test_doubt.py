"""The node doubts zeros: a direction out of sight, one that is blind, a silence."""

from array import array

from counting.doubt import STATE_SIZE, judge
from wire.record import WHY_BACKWARD, WHY_FORWARD, WHY_LINE, WHY_SILENCE, Interval

LENGTH = 900


class Node:
    """A doubt, and the record that it judges."""

    def __init__(self):
        self.sight = array("H", (0, 65_530, 0, 0))  # it wraps
        self.state = array("I", [0] * STATE_SIZE)
        self.state[1] = 65_530
        self.rec = Interval()
        self.at = 1_790_000_000 // LENGTH * LENGTH

    def pass_(self, forward, backward, missed=(0, 0), *, length=LENGTH, clear=None):
        """An interval with so many counts, and tracks that missed the line. Its reasons.

        clear: number of tracks that were long enough and crossed the line, as many as counts.
        """
        rec = self.rec
        rec.reset(self.at, 0)
        rec.length = rec.coverage = length
        self.at += LENGTH
        for direction, n in enumerate((forward, backward)):
            for _ in range(n):
                rec.add(direction, 2, 300)
            for at, more in ((1, n if clear is None else clear), (0, missed[direction])):
                i = 2 * direction + at
                self.sight[i] = (self.sight[i] + more) & 0xFFFF
        return judge(self.state, self.sight, rec, LENGTH)


def test_usual_traffic_and_a_quiet_night_give_no_reason():
    node = Node()
    for forward, backward in ((50, 48), (30, 41), (12, 9), (5, 3), (2, 1), (0, 1), (0, 0), (0, 0)):
        assert node.pass_(forward, backward) == 0, (forward, backward)


def test_a_direction_whose_tracks_do_not_come_to_the_line_is_unseen():
    node = Node()
    node.pass_(20, 20)
    assert node.pass_(20, 0, (0, 18)) == WHY_BACKWARD | WHY_LINE
    assert node.pass_(20, 10, (0, 8)) == WHY_BACKWARD | WHY_LINE
    assert Node().pass_(10, 20, (4, 0)) == WHY_FORWARD | WHY_LINE
    assert node.pass_(0, 0, (0, 2)) & WHY_LINE
    assert Node().pass_(40, 40, (2, 3)) == 0, "some park before the line"


def test_a_tenth_of_the_tracks_that_misses_the_line_for_an_hour_is_named_until_it_is_mended():
    node = Node()
    reasons = [node.pass_(21, 21, (0, 3)) for _ in range(8)]
    assert reasons[0] == 0 and set(reasons[2:]) == {WHY_BACKWARD | WHY_LINE}, reasons
    reasons = [node.pass_(24, 24) for _ in range(8)]
    assert reasons[-1] == 0 and node.pass_(24, 24, (0, 2)) == 0, reasons


def test_cars_that_park_before_the_line_are_few_beside_the_counts():
    """Most of the others stop somewhere, too, and so do not tell if the line is seen."""
    node = Node()
    for _ in range(30):
        assert node.pass_(20, 20, (1, 0), clear=1) == 0


def test_a_direction_that_never_had_a_count_is_unseen():
    node = Node()
    assert node.pass_(1, 0) == WHY_BACKWARD
    assert node.pass_(60, 0) == WHY_BACKWARD
    assert node.pass_(60, 1) == 0


def test_a_direction_that_goes_blind_is_unseen_at_once_and_until_its_next_count():
    node = Node()
    for _ in range(10):
        node.pass_(20, 20)
    assert node.pass_(20, 0) == WHY_BACKWARD
    for _ in range(50):
        assert node.pass_(20, 0) == WHY_BACKWARD
    assert node.pass_(0, 1) == 0


def test_an_uneven_balance_is_learned():
    node = Node()
    for _ in range(96):
        assert node.pass_(57, 3) == 0
    assert node.pass_(57, 0) == 0, "three were due"
    assert node.pass_(57, 0) == WHY_BACKWARD


def test_a_sudden_silence_is_doubted_and_not_learned():
    node = Node()
    for _ in range(10):
        assert node.pass_(10, 10) == 0
    for _ in range(300):
        assert node.pass_(0, 0) == WHY_SILENCE
    assert node.pass_(1, 0) == 0


def test_a_silence_that_is_usual_at_this_hour_is_not_doubted():
    node = Node()
    for day in range(4):
        for hour in range(24):
            for _ in range(4):
                busy = 12 if 6 <= hour < 22 else 0
                why = node.pass_(busy, busy)
                assert why == 0 or day < 2, (day, hour, why)  # it learns in the first night


def test_a_log_without_any_count_is_doubted():
    node = Node()
    assert node.pass_(0, 0) == WHY_SILENCE
    node.pass_(1, 1)
    assert node.pass_(0, 0) == 0


def test_a_short_interval_is_no_silence():
    node = Node()
    for _ in range(10):
        node.pass_(10, 10)
    assert node.pass_(0, 0, length=60) == 0
