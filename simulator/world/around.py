"""What may be around a node, as the kernel knows it."""

from __future__ import annotations

from typing import Protocol

from simulator.world.protocol import Input


class Detector(Protocol):
    """A sensor on the node's pins; the README of this folder has the contract."""

    def generate(self, t0_us: int, t1_us: int, limit: int) -> list[Input]: ...

    def write(self, t_us: int, data: bytes) -> list[Input]: ...

    def power(self, t_us: int, on: bool) -> None: ...


class Line(Protocol):
    """Whatever is on the console's port; a person, for one, who lives in real time."""

    name: str  # the board's, for the banner

    def wait(self, now_us: int, at_prompt: bool) -> bytes:
        """Hold the node back to the pace of the line; return what was typed, a little."""

    def ahead_us(self, now_us: int) -> int:
        """How far the node may run ahead alone."""

    def interrupts(self) -> bool:
        """Asked when the node computes for long: does Ctrl-C wait? It is taken by that."""

    def out(self, data: bytes) -> None:
        """What the node sends."""


class Observer(Protocol):
    """Sees what a node does, from outside."""

    def on(self, kind: str, t_us: int, data: bytes | str) -> None: ...
