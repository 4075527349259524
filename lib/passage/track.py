"""One moving object of a radar's tracker. Units: decimetres, milliseconds, 0.1 km/h."""

from micropython import const

_LOST_MS = const(2500)  # as in tracker.py: unseen so long, a track is lost
_UNSURE_DM = const(30)
_HITS_MIN = const(8)  # drops of rain that look like a track are fewer
_PLACE_DM = const(7)  # deviation of a distance: whole metres, and the radar's own noise
_ACCELERATION = const(300_000)  # 2 / (0.67 m/s2), in ms2 a dm: a usual road user's
_ECHO_DM = const(50)  # nearer than this every echo is at its limit
_SNR_MAX = const(255)  # the true echo is larger by an unknown amount


class Track:
    """One moving object. The slots are used again and again, and hold few numbers: RAM is scarce.

    echo: -1 once the track is counted. against: number of detections with the other direction byte
    in a row, and 8 * the hits before them.
    """

    def __init__(self):
        self.begin(0, 0, 0, 0, 0)

    def begin(self, dm, direction, speed, side, t_ms):
        self.pos_dm = self.first_dm = dm
        self.speed = self.first_speed = speed
        self.direction = direction
        self.side = side
        self.first_ms = self.seen_ms = t_ms
        self.hits = self.against = self.echo = 0

    def turns(self):
        """Note a detection that fits but for its direction byte. True at the last of four."""
        against = self.against + 1
        if against >> 3 != self.hits:
            against = self.hits * 8 + 1
        self.against = against
        return against & 7 == 4

    def add_echo(self, dm, snr):
        """Take the strength of an echo at a distance into the mean."""
        if dm < _ECHO_DM:
            return
        echo = snr * dm * dm // 100
        if not self.echo:
            self.echo = echo
        elif snr < _SNR_MAX or echo > self.echo:
            self.echo = (self.echo * 7 + echo) >> 3

    def reaches(self, pos_dm, dm, speed, other_speed):
        """True if the track's place is still known after so many dm unseen, at `pos_dm`.

        other_speed: its speed elsewhere. The larger the difference, the less is known.
        """
        if self.hits < _HITS_MIN or speed <= 0 or dm * 3600 > speed * _LOST_MS:
            return False
        if abs(self.side) * 3 > pos_dm * 2:
            return False
        ms = dm * 3600 // speed
        unsure_dm = _PLACE_DM + max(0, other_speed - speed) * ms // 3600 + ms * ms // _ACCELERATION
        return unsure_dm <= _UNSURE_DM
