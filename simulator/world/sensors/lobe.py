"""The lobe of a 24 GHz radar: how far a road user is seen, by its angle.

The maker of the LD2451 gives 20 degrees to either side (User Manual V1.00) and no gain beyond it.
Here the reach ends within a tenth of that angle, and the side lobes are left. An echo falls with
the fourth power of the distance and passes the lobe twice, so the reach is the root of the gain. A
wide lobe, of the world that is kind, has sharp edges far away and none near.
"""

from __future__ import annotations

from simulator.world.streets.mount import Mount

WIDE_DEG, WILD_M = 25, 13.0  # the wide lobe: beyond this distance it has edges
SIDE_LOBE_DB = -18.0  # one way, of a small patch array (assumed)
EDGE = 0.1  # of the lobe's angle, in which its gain falls to that of the side lobes (assumed)
FADES_M = 1.15  # seen now and then up to so many times the reach
FALL = 1.6  # of the chance to be seen: 1.95 - 1.6 * share of that distance
CERTAIN = 1.95


def reach_share(mount: Mount, bearing_deg: float) -> float:
    """Share of its reach ahead at which a road user is seen at this angle to the axis."""
    side = 10 ** (SIDE_LOBE_DB / 20)
    beyond = abs(bearing_deg) / mount.lobe_deg - 1
    return max(side, 1 - (1 - side) * max(0.0, beyond) / EDGE)


def chance(mount: Mount, reach_m: float, distance_m: float, bearing_deg: float) -> float:
    """Of a report with this road user in it. May be above 1 and below 0."""
    if mount.lobe_deg:
        reach_m *= reach_share(mount, bearing_deg)
    elif distance_m > WILD_M and abs(bearing_deg) > WIDE_DEG:
        return 0.0
    return CERTAIN - FALL / (reach_m * FADES_M) * distance_m
