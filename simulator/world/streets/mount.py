"""Where a radar hangs, and where the lanes are.

A radar hangs on a lamp post 0.3 to 1.5 m behind the kerb, 2 to 5 m high, and looks along the road.
The maker of the LD2451 gives a lobe of 20 degrees to either side (User Manual V1.00). In a world
that is kind it hangs in the middle of the road, level with the cars, and its lobe is wide.
"""

from __future__ import annotations

from dataclasses import dataclass

BODY_M = 0.8  # height of the part of a vehicle that sends back the echo (assumed)
MIDDLE_M = (-1.8, 1.8)
LINE_M = 8.0


@dataclass(frozen=True)
class Mount:
    """line_m: the counting line, along the road from the radar. lanes: sideways from the radar to
    the middle of the lanes forward and backward, m. height_m: above the road. lobe_deg: the
    maker's lobe to either side, 0 = a wide one.
    """

    line_m: float = LINE_M
    lanes: tuple[float, float] = MIDDLE_M
    height_m: float = BODY_M
    lobe_deg: float = 0.0

    @property
    def rise_m(self) -> float:
        return self.height_m - BODY_M


KIND_MOUNT = Mount()
