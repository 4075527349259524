"""The ring log on good flash, on damaged flash, and at the edges of its numbers."""

import gc
import random

from nor import Nor, PowerCut
from ring import ANCHOR, EVENT, INTERVAL, Ring, RingError


def _open(flash, seed=1):
    random.seed(seed)
    ring = Ring(flash, random.getrandbits)
    ring.open()
    return ring


def _payload(i):
    return bytes(((i * 7 + j) & 0xFF) for j in range(20 + i % 50))


def _read(ring, seq):
    buf = bytearray(600)
    kind, n = ring.read(seq, buf)
    return kind, bytes(buf[:n])


def _newest_sector(ring):
    """Where the newest record lies: 4 of the 16 sectors hold no records."""
    return 4 + (ring.stats()["opened"] - 1) % 12


def _fill(ring, first, last):
    for i in range(first, last + 1):
        assert ring.append(INTERVAL if i % 3 else EVENT, _payload(i)) == i


def test_records_come_back_after_a_restart():
    flash = Nor()
    ring = _open(flash)
    _fill(ring, 1, 20)
    log_id = ring.log_id
    ring = _open(flash, 2)
    assert (ring.log_id, ring.first_seq, ring.next_seq) == (log_id, 1, 21)
    for i in range(1, 21):
        assert _read(ring, i) == (INTERVAL if i % 3 else EVENT, _payload(i))


def test_the_oldest_goes_when_the_ring_is_full_and_numbers_go_on():
    flash = Nor()
    ring = _open(flash)
    _fill(ring, 1, 500)
    for restarted in (False, True):
        if restarted:
            ring = _open(flash)
        assert ring.next_seq == 501 and 350 < ring.first_seq < 450
        for i in range(ring.first_seq, 501):
            assert _read(ring, i)[1] == _payload(i)
        for gone in (ring.first_seq - 1, 501):
            try:
                _read(ring, gone)
                raise ValueError(gone)
            except KeyError:
                continue


def test_records_lost_before_they_were_confirmed_are_counted():
    ring = _open(Nor())
    _fill(ring, 1, 90)
    ring.set_cursor(0, 90, 60)
    _fill(ring, 91, 200)
    assert ring.dropped == ring.first_seq - 61
    ring = _open(Nor())
    _fill(ring, 1, 30)
    ring.set_cursor(0, 30, 30)
    assert ring.dropped == 0


def test_a_checkpoint_is_void_once_its_interval_is_closed():
    flash = Nor()
    ring = _open(flash)
    buf = bytearray(100)
    for i in range(200):
        ring.checkpoint(b"open %d" % i)
        if i % 7 == 0:
            n = _open(flash).last_checkpoint(buf)
            assert buf[:n] == b"open %d" % i
    ring.append(ANCHOR, b"x")
    assert _open(flash).last_checkpoint(buf) > 0
    ring.append(INTERVAL, b"closed")
    assert ring.last_checkpoint(buf) == 0
    assert _open(flash).last_checkpoint(buf) == 0


def test_cursors_survive_and_never_run_ahead():
    flash = Nor()
    ring = _open(flash)
    _fill(ring, 1, 40)
    for i in range(1, 41):
        ring.set_cursor(0, i, i - 1)
        ring.set_cursor(1, i // 2, 0)
    ring.set_cursor(0, 99, 98)
    ring = _open(flash)
    assert ring.cursor(0) == (40, 40) and ring.cursor(1) == (20, 0)


def test_erase_ahead_keeps_appends_free_of_erases():
    ring = _open(Nor())
    for i in range(1, 300):
        before = ring.stats()["erases"]
        ring.append(INTERVAL, _payload(i))
        assert ring.stats()["erases"] == before or i < 2
        ring.prepare()


def test_twelve_sectors_of_a_large_partition_hold_the_state():
    flash = Nor(64)
    _open(flash)
    heads = [bytes(flash.cells[n * 512 : n * 512 + 4]) for n in (0, 11, 12, 13)]
    assert heads == [b"TPC1", b"\xff" * 4, b"TPR1", b"\xff" * 4]


def test_a_new_log_keeps_its_id_when_the_header_of_its_only_record_sector_is_damaged():
    flash = Nor()
    log_id = _open(flash).log_id
    flash.cells[4 * 512 + 8] ^= 1  # 4 of the 16 sectors hold no records
    assert _open(flash, 2).log_id == log_id


class Weak(Nor):
    """A flash on which one program operation, or each from there on, leaves a bit wrong."""

    weak_at = 0
    is_worn = False
    wrong = 0

    def writeblocks(self, n, buf, off=0):
        super().writeblocks(n, buf, off)
        if self.ops == self.weak_at or self.is_worn and self.ops > self.weak_at:
            self.cells[n * self.size + off + 14] ^= 1
            self.wrong += 1


def test_a_record_that_flash_does_not_hold_is_written_again_and_counted():
    flash = Weak()
    ring = _open(flash)
    ring.append(INTERVAL, _payload(1))
    flash.weak_at = flash.ops + 1
    assert ring.append(INTERVAL, _payload(2)) == 2
    assert ring.stats()["corrupt"] == 1
    ring = _open(flash)
    assert _read(ring, 1)[1] == _payload(1) and _read(ring, 2)[1] == _payload(2)


def test_a_bit_that_flash_does_not_hold_costs_nothing_wherever_it_is():
    for weak_at in range(1, 130):
        flash = Weak()
        ring = _open(flash)
        flash.weak_at = flash.ops + weak_at
        for i in range(1, 41):
            assert ring.append(EVENT, _payload(i)) == i
            ring.checkpoint(b"open %d" % i)
            ring.set_cursor(i % 2, i, i - 1)
        assert ring.stats()["corrupt"] == flash.wrong <= 1
        buf = bytearray(100)
        for held in (ring, _open(flash)):
            assert held.cursor(0) == (40, 39) and held.cursor(1) == (39, 38), weak_at
            assert bytes(buf[: held.last_checkpoint(buf)]) == b"open 40", weak_at
            assert held.next_seq == 41 and held.first_seq == 1
            for i in range(1, 41):
                assert _read(held, i) == (EVENT, _payload(i)), (weak_at, i)


def test_a_worn_out_flash_is_an_error_and_not_a_silent_loss():
    for write in (
        lambda ring: ring.append(INTERVAL, _payload(1)),
        lambda ring: ring.checkpoint(_payload(1)),
        lambda ring: ring.set_cursor(0, 0, 0),
    ):
        flash = Weak()
        ring = _open(flash)
        flash.is_worn, flash.weak_at = True, flash.ops
        try:
            write(ring)
        except RingError as error:
            assert "does not hold" in str(error)
        else:
            raise AssertionError("lost in silence")
        assert ring.next_seq == 1


def test_a_log_of_which_only_a_damaged_sector_is_left_goes_on_behind_it():
    flash = Nor()
    ring = _open(flash)
    ring.append(INTERVAL, _payload(1))
    place = _newest_sector(ring) * 512
    flash.cells[place + 8] ^= 1  # the header
    flash.cells[place + 50] ^= 1  # the record
    again = _open(flash, 2)
    assert again.log_id == ring.log_id and again.stats()["corrupt"] == 1
    assert again.append(EVENT, b"next") == again.first_seq
    assert _read(_open(flash), again.first_seq) == (EVENT, b"next")


def test_a_foreign_partition_is_not_formatted():
    flash = Nor()
    flash.cells[700:720] = b"somebody else's data"
    try:
        _open(flash)
        raise ValueError("formatted")
    except RingError as error:
        assert "foreign" in str(error)


def test_another_version_is_refused():
    flash = Nor()
    _open(flash)
    head = bytearray(flash.cells[4 * 512 : 4 * 512 + 32])
    head[4] = 2
    from binascii import crc32
    import struct

    struct.pack_into("<I", head, 28, crc32(head[:28]))
    for n in range(16):
        flash.cells[n * 512 : n * 512 + 32] = b"\xff" * 32
    flash.cells[4 * 512 : 4 * 512 + 32] = head
    try:
        _open(flash)
        raise ValueError("accepted")
    except RingError as error:
        assert "format 2" in str(error)


def test_damage_anywhere_costs_at_most_its_sector():
    random.seed(5)
    for trial in range(60):
        flash = Nor()
        ring = _open(flash)
        _fill(ring, 1, 230)
        hurt = random.randrange(16)
        at = hurt * 512 + (random.randrange(32) if trial % 2 else random.randrange(512))
        flash.cells[at] ^= 1 << random.randrange(8)
        again = _open(flash)
        assert again.next_seq == 231 or hurt == _newest_sector(again), (trial, hurt)
        missing = 0
        for i in range(ring.first_seq, 231):
            try:
                assert _read(again, i)[1] == _payload(i)
            except KeyError:
                missing += 1
        assert missing <= 14, (trial, hurt, missing)
        assert again.append(INTERVAL, b"next") >= 230 - 14


def test_a_number_that_was_sent_never_comes_again_though_its_record_is_damaged():
    flash = Nor()
    ring = _open(flash)
    _fill(ring, 1, 40)
    ring.set_cursor(0, 40, 38)
    place = _newest_sector(ring) * 512
    at = bytes(flash.cells[place : place + 512]).rfind(_payload(40))
    flash.cells[place + at] ^= 1
    again = _open(flash)
    assert again.next_seq == 41 and again.cursor(0) == (40, 38) and again.stats()["corrupt"] == 1
    try:
        _read(again, 40)
        raise ValueError("read")
    except KeyError:
        assert again.append(EVENT, b"next") == 41
    assert _read(_open(flash), 41)[1] == b"next" and _read(again, 39)[1] == _payload(39)


def test_an_interval_that_was_sent_is_not_opened_again_when_its_record_is_damaged():
    flash = Nor()
    ring = _open(flash)
    ring.append(INTERVAL, b"the one before")
    ring.checkpoint(b"half of the next")
    seq = ring.append(INTERVAL, b"the next, closed")
    ring.set_cursor(0, seq, seq)
    flash.cells[bytes(flash.cells).rfind(b"the next, closed")] ^= 1
    again = _open(flash)
    assert again.last_checkpoint(bytearray(64)) == 0 and again.next_seq == seq + 1


def test_a_cut_at_any_operation_of_the_format_is_harmless():
    for cut in range(1, 12):
        flash = Nor()
        flash.cut_at = cut
        flash.tear = lambda old, new: new[: len(new) // 2] + old[len(new) // 2 :]
        try:
            _open(flash).append(INTERVAL, b"first")
        except PowerCut:
            ring = _open(flash)
            assert ring.append(EVENT, b"second") in (1, 2)


def test_checkpoints_and_cursors_take_no_more_memory_with_time():
    ring, payload = _open(Nor(8, 4096)), bytes(354)
    for turn in range(2):
        gc.collect()
        before = gc.mem_free()
        for i in range(1500):
            ring.checkpoint(payload, 300 + i % 54)
            ring.set_cursor(i & 1, i, i)
        gc.collect()
        assert turn == 0 or before - gc.mem_free() < 500
    buf = bytearray(500)
    assert ring.last_checkpoint(buf) == 300 + 1499 % 54
