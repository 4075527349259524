"""`esp32.PCNT` of the ESP32 port since 1.26. A module of its own, so that few nodes load it."""

import machine


class PCNT:
    """A pulse counter: counts edges in hardware while the interpreter is busy."""

    HOLD = 0
    INCREMENT = 1
    DECREMENT = 2
    _COUNT_MAX = 32767  # then the count begins again at 0

    def __init__(self, unit, pin=None, rising=HOLD, falling=HOLD, filter=0):
        if not 0 <= unit < 8:
            raise ValueError("PCNT(%d) does not exist" % unit)
        self._steps = (falling, rising)
        self._value = 0
        self._runs = False
        machine.Pin.counters[pin.gpio] = self

    def count(self, level):
        step = self._steps[level]
        if self._runs and step:
            self._value += 1 if step == self.INCREMENT else -1
            if abs(self._value) >= self._COUNT_MAX:
                self._value = 0

    def start(self):
        self._runs = True

    def stop(self):
        self._runs = False

    def value(self, value=None):
        now = self._value
        if value is not None:
            self._value = value
        return now
