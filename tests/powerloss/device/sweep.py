"""Cuts the power at every flash operation of a workload, and again while the log recovers.

The workload runs once. Before each of its operations takes effect, each mode of a cut is tried on
a copy of the flash, with a copy of the model. So nothing is replayed. The log of the copy is
recovered, checked and used further, and each operation of that may be cut a second time. The
options are JSON on standard input (see `harness.py`), because an argument of more than 255 bytes
stops the interpreter.
"""

import json
import sys

import sabotage
from flash import ERASE, MODES, Flash, FlashError, tear
from micropython import const
from model import APPEND, CHECKPOINT, CURSOR, LOST, PREPARE, WRONG, Failure, Model
from ring import RingError
from script import Script

_STEPS = (0, 10, 4)  # steps after no, one, two cuts. Without a cut: until the log has wrapped
_LAPS = const(3)  # the first lap erases only blank sectors: two wraps
_SHOWN = const(3)
_AFTER = const(24)  # operations after a stuck bit
STUCK = "stuck"  # one bit is programmed wrong, and the power stays on


class Life:
    """One power-up. level: number of cuts before it. path: (operation, mode) of each."""

    def __init__(self, sweep, model, cells, path):
        self._sweep = sweep
        self.model = model
        self.level = len(path)
        self.cutting = self.level < 2
        self.path = path
        self.ops = 0
        self.flash = Flash(sweep.blocks, sweep.size, cells)
        self.flash.watch = self._watch
        self.flash.faulty = self.level > 0 and path[0][1] == STUCK
        self.ring = None

    def start(self):
        self.ring = self._sweep.new_ring(self.flash, self.level)
        self.ring.open()
        self.model.settle(self.ring)

    def step(self, step):
        model, ring = self.model, self.ring
        model.doing = step
        kind = step[0]
        if kind == APPEND:
            model.appended(ring.append(step[1], step[2]), self.flash.sector)
        elif kind == CHECKPOINT:
            ring.checkpoint(step[1])
        elif kind == CURSOR:
            ring.set_cursor(step[1], step[2], step[3])
        elif kind == PREPARE:
            ring.prepare()
        model.done()

    def use(self):
        """Use the log after a recovery, and start once more: all data is still there."""
        script = Script(self.path[0][0] + self.level, self.level, self._sweep.payload_max)
        for _ in range(_STEPS[self.level]):
            self.step(script.next(self.model))
        self.cutting = False
        self.step((APPEND, 2, b"last%d" % self.level))
        self.start()

    def _watch(self, kind, start, old, new):
        self.ops += 1
        sector = start // self._sweep.size
        if kind == ERASE:
            self.model.erasing(sector)
        if self.cutting:
            for mode in self._sweep.modes_at(self):
                self._sweep.cut(self, mode, (kind, start, old, new))
        if kind == ERASE:
            self.model.erased(sector)
        if self.level == 1 and self.path[0] == (self.ops, STUCK) and self.flash.faulty:
            return tear("flip", old, new, _salt(self.ops, start, kind))
        return None


class Sweep:
    """options: dict, see `harness.py`."""

    def __init__(self, options):
        self.blocks, self.size, self.seed, self.payload_max = options["workload"]
        self._modes = options["modes"]
        self._plain = [mode for mode in self._modes if mode != STUCK]
        self._second_modes = options["second_modes"]
        self._part, self._parts = options["shard"]
        self._one_in = options["one_in"]  # of the second cuts
        self._cut = options["cut"]  # only this operation, 0 = all
        self._second = options["second"]  # only this operation, 0 = all, -1 = none
        self._stop = options["stop"]
        self.new_ring = sabotage.maker(options["sabotage"])
        self.cuts = 0
        self.failures = {"lost": 0, "wrong": 0, "resurrected": 0}
        self.shown = 0

    def run(self):
        """Run both sweeps. Return the number of operations of the workload."""
        ops = self._cut
        if not ops or STUCK not in self._modes:
            ops = self._sweep_cuts()
        if STUCK in self._modes:
            for at in range(1, ops + 1):
                if at == self._cut or not self._cut and at % self._parts == self._part:
                    self._live_with_stuck_bit(at)
        return ops

    def _sweep_cuts(self):
        life = Life(self, Model(self.blocks), None, ())
        life.start()
        script = Script(self.seed, 0, self.payload_max)
        while life.model.laps < _LAPS and not self.finished(life):
            life.step(script.next(life.model))
        return life.ops

    def _live_with_stuck_bit(self, at):
        """One bit of an operation is programmed wrong. The power is cut soon after."""
        life = Life(self, Model(self.blocks), None, ((at, STUCK),))
        life.model.cuts = 1
        self._try(life, self._live_until, at + _AFTER)

    def _live_until(self, life, ops):
        life.start()
        script = Script(self.seed, 0, self.payload_max)
        while life.ops < ops:
            life.step(script.next(life.model))

    def finished(self, life):
        return (0 < self._cut < life.ops) or (self._stop and self.shown)

    def modes_at(self, life):
        """The modes to try at the operation that a life has reached."""
        first, how = life.path[0] if life.path else (0, "")
        if how == STUCK and life.ops <= first:
            return ()
        if life.level == 0:
            if self._cut:
                return self._plain if life.ops == self._cut else ()
            return self._plain if life.ops % self._parts == self._part else ()
        if self._second:
            return self._second_modes if life.ops == self._second else ()
        if self._one_in == 1:
            return self._second_modes
        salt = _salt(first, life.ops, _index(how))
        return [m for i, m in enumerate(self._second_modes) if (salt + i) % self._one_in == 0]

    def cut(self, life, mode, operation):
        """Cut the power in an operation of a life, and try the next life."""
        kind, start, old, new = operation
        path = life.path + ((life.ops, mode),)
        salt = _salt(path[0][0], _index(path[0][1]), life.ops * 8 + _index(mode))
        cells = bytearray(life.flash.cells)
        cells[start : start + len(new)] = tear(mode, old, new, salt)
        sector = start // self.size
        model = life.model.fork(sector, kind == ERASE and mode != "done")
        if kind == ERASE and mode == "done":
            model.erased(sector)
        self.cuts += 1
        self._try(Life(self, model, cells, path), self._recover, salt)

    def _recover(self, life, salt):
        life.start()
        if life.level == 1 or salt & 3 == 0 or self._cut:
            life.use()

    def _try(self, life, run, argument):
        path = life.path
        try:
            run(life, argument)
        except Failure as error:
            self._report(error.args[0], error.args[1], path)
        except FlashError as error:
            self._report(WRONG, str(error), path)
        except RingError as error:
            # Before the first record a wrong bit cannot be told from foreign data.
            if life.model.last or not any(mode in ("flip", STUCK) for _, mode in path):
                self._report(LOST, "RingError: %s" % error, path)
        except (ValueError, IndexError, TypeError, AttributeError) as error:
            self._report(LOST, "%s: %s" % (type(error).__name__, error), path)

    def _report(self, kind, text, path):
        self.failures[kind] += 1
        self.shown += 1
        if self.shown <= _SHOWN:
            sys.stdout.write("%s\n" % json.dumps({"kind": kind, "text": text, "path": path}))


def _index(mode):
    return len(MODES) if mode == STUCK else MODES.index(mode)


def _salt(a, b, c):
    mixed = (a * 2654435 + b * 40503 + c * 97 + 7) & 0x3FFFFFFF
    return (mixed * 69069 >> 5) & 0xFFFFFF


def main():
    sweep = Sweep(json.load(sys.stdin))
    ops = sweep.run()
    result = {"cuts": sweep.cuts, "operations": ops}
    result.update(sweep.failures)
    sys.stdout.write("%s\n" % json.dumps(result))


main()
