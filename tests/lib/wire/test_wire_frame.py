"""Intervals as LoRaWAN frames: bit for bit by hand, within a size, at their limits."""

from binascii import hexlify

from wire.frame import MAX_BYTES, MERGED_MAX, Frame, v85_kmh
from wire.record import BINS, Interval

EPOCH = 1_735_689_600  # 2025-01-01
LOG = 0x5EAD1234
ALL_ZERO = "0000" * 5
BUF = bytearray(60)


def record(seq=1000, start=EPOCH + 3 * 300, length=900):
    rec = Interval()
    rec.reset(start, 0)
    rec.seq, rec.length, rec.coverage = seq, length, length
    rec.detector, rec.time_source = 1, 3
    return rec


def made(*records, size_max=51, cls=0, span=1):
    """The frame of these records as hex, and the Frame."""
    for i in range(len(BUF)):
        BUF[i] = 0xFF
    frame = Frame(BUF)
    frame.begin(LOG, size_max, cls)
    added = [frame.add(rec, span) for rec in records]
    n = frame.end()
    assert n <= size_max and frame.records == sum(added)
    return hexlify(BUF[:n]).decode(), frame


def in_bits(*parts):
    """Texts of 0 and 1, joined, filled up to whole bytes, as hex."""
    text = "".join(parts)
    text += "0" * (-len(text) % 8)
    return "".join("%02x" % int(text[i : i + 8], 2) for i in range(0, len(text), 8))


def number(value, width):
    text = bin(value)[2:]
    return "0" * (width - len(text)) + text


HEAD = number(1, 8) + number(0x1234, 16)
PLACE = "00" + number(1000, 14) + number(3, 22) + "0"
NO_TOTALS = "0" + "1" + "000" + "00000"


def test_an_empty_interval_is_written_bit_for_bit():
    wanted = in_bits(HEAD, PLACE, "0", "010", "011", "1", "0", "0", ALL_ZERO, NO_TOTALS)
    assert made(record())[0] == wanted


def test_speeds_counts_and_totals_are_written_bit_for_bit():
    rec = record(seq=150_000, start=EPOCH + 600 + 7, length=839)
    rec.coverage, rec.why, rec.detector = 829, 0x21, 2
    rec.counts[2], rec.counts[7], rec.counts[9] = 300, 5, 1
    rec.totals[4], rec.totals[9] = 6, 1 << 29
    for _ in range(3):
        rec.add(1, 0, 425)
    wanted = in_bits(
        HEAD, "10" + number(150_000, 20), number(2, 22) + "1" + number(7, 9), "0",
        "111" + number(839, 16), "011",
        "0" + "0100" + number(10, 4) + "0110" + number(0x21, 6) + "010",
        "0", "1" + number(85, 8) + number(43, 7),
        "0010" + "00" + "11", "0000", "1001" + number(300, 9) + number(5, 9), "0000",
        "0001" + "0" + "1",
        "0", "1" + "100" + number(30, 5) + number(6, 30) + number(1 << 29, 30),
    )  # fmt: skip
    assert made(rec, cls=4)[0] == wanted


def test_the_record_before_is_repeated_and_a_gap_is_named():
    newest, before, older = record(), record(999, EPOCH), record(990, EPOCH - 900)
    body = ("0", "010", "011", "1", "0", "0", ALL_ZERO)
    found = made(newest, before)[0]
    assert found == in_bits(HEAD, PLACE, *body, "1", "1", *body, NO_TOTALS)
    gap = "0" + "00" + number(990, 14) + "1" * 22 + "0"  # before 2025: not known
    assert made(newest, older)[0] == in_bits(HEAD, PLACE, *body, "1", gap, *body, NO_TOTALS)
    before.start = EPOCH + 1  # the clock was set: it does not end where the next one begins
    place = "0" + "00" + number(999, 14) + number(0, 22) + "1" + number(1, 9)
    assert made(newest, before)[0] == in_bits(HEAD, PLACE, *body, "1", place, *body, NO_TOTALS)


def test_a_merged_interval_names_its_numbers():
    body = ("010", "011", "1", "0", "0", ALL_ZERO)
    found = made(record(), span=MERGED_MAX)[0]
    assert found == in_bits(HEAD, PLACE, "1" + "111111", *body, NO_TOTALS)
    for seq, span in ((1000, 0), (1000, MERGED_MAX + 1), (3, 4)):
        try:
            made(record(seq=seq), span=span)
            raise AssertionError("accepted")
        except ValueError:
            pass


def test_a_record_that_does_not_fit_is_left_out_whole():
    one = made(record())[0]
    size = len(one) // 2
    alone, frame = made(record(), record(999, EPOCH), size_max=size)
    assert frame.records == 1 and len(alone) // 2 == size
    assert made(record(), size_max=size - 3)[1].records == 0


def test_totals_are_added_only_if_they_fit():
    rec = record()
    rec.totals[0] = 1 << 20
    assert len(made(rec)[0]) == len(made(rec, size_max=19)[0]) == 2 * 19
    assert len(made(rec, size_max=18)[0]) == 2 * 12


def worst():
    rec = record(0xFFFFFFFF, EPOCH + 1, 65535)
    rec.coverage, rec.why, rec.detector = 0, 0xFFFF, 6
    for i in range(10):
        rec.counts[i] = 0xFFFF
        rec.totals[i] = 0x3FFFFFFF
    for direction in range(2):
        rec.speed_n[direction] = rec.hist[direction * BINS + 31] = 0xFFFF
        rec.speed_sum[direction] = 0xFFFF * 1300
    return rec


def test_every_record_fits_into_the_slowest_data_rate():
    found, frame = made(worst(), span=2)
    assert frame.records == 1 and frame.is_long and len(found) // 2 == MAX_BYTES < 51


def test_a_frame_of_more_than_24_bytes_is_long():
    rec = record()
    rec.speed_n[0] = rec.hist[0] = rec.speed_n[1] = rec.hist[BINS] = 1
    rec.counts[0] = (1 << 14) - 1  # 14 bits; the other three have 6 each and `unknown` 1
    rec.counts[1] = rec.counts[2] = rec.counts[3] = 63
    rec.counts[4] = 1
    found, frame = made(rec, size_max=24)
    assert frame.records == 1 and not frame.is_long
    rec.counts[4] = 2
    found, frame = made(rec)
    assert frame.is_long and made(rec, size_max=24)[1].records == 0


def test_coverage_above_the_length_is_full_coverage():
    rec = record()
    rec.coverage = 901
    assert made(rec)[0] == made(record())[0]


def speeds(*bins):
    rec = record()
    for bin_, n in bins:
        rec.hist[bin_] += n
        rec.speed_n[0] += n
    return v85_kmh(rec, 0)


def test_v85_is_interpolated_and_127_in_the_open_bin():
    assert speeds((10, 100)) == 43  # 40 + 4 * 0.85 = 43.4
    assert speeds((10, 85), (20, 15)) == 44
    assert speeds((10, 84), (20, 16)) == 80  # 80 + 4 / 16
    assert speeds((0, 1)) == 3
    assert speeds((30, 10)) == 123
    assert speeds((31, 1)) == 127
    assert speeds((5, 85), (31, 15)) == 24
