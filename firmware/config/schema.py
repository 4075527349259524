"""The configuration: one table of all settings, read once at boot.

It is a blob of JSON in NVS, namespace `tallypost`, key `config`. `config_ok` holds the last one
under which a record was acknowledged, see `trial.py`. Unknown keys and bad values are errors that
name key, value and range. The node then runs with the last good configuration. Secrets are not in
here: they have NVS keys of their own.

`App.schema` loads this module for a moment.
"""

import json
from binascii import crc32
from io import StringIO

from config.settings import BLOB_BYTES_MAX, Settings, view_blob
from core.faults import ConfigError

# key | type | minimum..maximum (of a text: characters) or the choices | default | unit
# Texts: as tuples the table takes four times the memory. Four of them: for the whole in one piece
# a node in use may have no room.
SCHEMA = (
    """\
site|str|0..40||text
detector|str|ld2451 ld2450 ops243 doppler beam beam_single pir_pair vl53l1x|ld2451|
link|str|mqtt lorawan both|mqtt|
mqtt_host|str|1..64|localhost|text
mqtt_port|int|1..65535|1883|
mqtt_tls|int|0..1|0|
mqtt_root|str|1..40|tallypost/v1|text
mqtt_keepalive|int|10..600|60|s
""",
    """\
ntp_host|str|1..64|pool.ntp.org|text
ntp_host2|str|1..64|time.cloudflare.com|text
interval_min|int|1 5 15 60|15|min
privacy_k|int|1..100|3|road users
checkpoint_s|int|10..600|60|s
log_level|int|0..3|1|
console|str|open commands off|commands|
radar_line_m|int|3..40|20|m
radar_offset_m|int|0..14|0|m
radar_max_m|int|10..100|60|m
radar_min_kmh|int|0..30|2|km/h
radar_dir_approach|int|0..1|1|
""",
    """\
radar_mount_deg|int|-45..45|0|degrees
ld2450_flip|int|0..1|0|
ld2450_max_mm|int|1000..8000|6000|mm
doppler_mhz|int|10525 24125|24125|MHz
beam_gap_mm|int|50..1000|300|mm
beam_blocked_level|int|0..1|0|
beam_debounce_ms|int|1..50|20|ms
beam_merge_ms|int|10..1000|120|ms
class_ped_max_kmh|int|3..15|8|km/h
class_bike_max_kmh|int|10..60|28|km/h
""",
    """\
class_bike_min_mm|int|300..3000|1000|mm
class_car_min_mm|int|1000..8000|3000|mm
class_heavy_min_mm|int|2000..20000|7000|mm
class_car_echo|int|0..1000000|0|SNR x m2
lora_region|str|EU868 US915 AS923 AS923-2 AS923-3 AS923-4|EU868|
lora_airtime_s|int|5..864|30|s a day
lora_after_min|int|1..1440|30|min
lora_certification|int|0..1|0|
""",
)
_BAD_IN_TOPIC = "+#\0"
# Settings that can lose the node or hand it over: signed (commands/settings.py), and on trial
# (trial.py). One text, for the same reason.
_LINK = (
    " link mqtt_host mqtt_port mqtt_tls mqtt_root ntp_host ntp_host2 lora_region"
    " lora_certification "
)


def rows():
    """The rows of SCHEMA: key, type, minimum or choices, maximum or None, default, unit."""
    for part in SCHEMA:
        for line in StringIO(part):
            yield _row(line)


def _row(line):
    key, name, allowed, default, unit = line[:-1].split("|")
    kind = int if name == "int" else str
    lower, _, upper = allowed.partition("..")
    if upper:
        return key, kind, int(lower), int(upper), kind(default), unit
    choices = tuple([kind(choice) for choice in allowed.split(" ")])
    return key, kind, choices, None, kind(default), unit


def accept(values):
    """Check and complete values, and return them as Settings. Raises ConfigError."""
    full = check(values)
    return Settings(full, _hash(full))


def _hash(full):
    """The CRC of [[key, value], ...] as JSON, piece by piece: the whole takes memory."""
    crc, before = 0, "["
    for row in rows():
        crc = crc32((before + json.dumps([row[0], full[row[0]]])).encode(), crc)
        before = ", "
    return crc32(b"]", crc)


def check(values):
    """Complete `values` with defaults, and return them. Raises ConfigError for the first bad one.

    In place: on a heap in use a second table of all values finds no room.
    """
    if not isinstance(values, dict):
        raise ConfigError("config: an object is wanted, not %r" % values)
    known = 0
    for row in rows():
        known += row[0] in values
    if known < len(values):
        raise _unknown_key(values)
    for row in rows():
        if row[0] not in values:
            values[row[0]] = row[4]
        _check_value(row, values[row[0]])
    _check_together(values)
    return values


def _unknown_key(values):
    """Without the list of all keys: the heap of a node in use has no room for such a text."""
    for row in rows():
        values.pop(row[0], None)
    return ConfigError("config: unknown key %r; config_get has all" % sorted(values)[0])


def _check_value(row, value):
    key, kind, lower, upper, _default, unit = row
    if isinstance(value, bool) or not isinstance(value, kind):
        raise ConfigError("config: %s = %r, wanted %s" % (key, value, kind.__name__))
    if upper is None:
        if value not in lower:
            raise ConfigError("config: %s = %r, wanted one of %r" % (key, value, lower))
        return
    size = len(value) if kind is str else value
    if not lower <= size <= upper:
        raise ConfigError("config: %s = %r, wanted %d..%d %s" % (key, value, lower, upper, unit))


# Beside the single ranges: the second key lies above the first.
_ABOVE = (
    ("class_ped_max_kmh", "class_bike_max_kmh"),
    ("class_bike_min_mm", "class_car_min_mm"),
    ("class_car_min_mm", "class_heavy_min_mm"),
    ("radar_line_m", "radar_max_m"),
    ("beam_debounce_ms", "beam_merge_ms"),
)
_LOBE_MAX_DEG = 20  # of the LD2451, to either side: beyond it the road is out of its sight


def _check_together(full):
    for lower, upper in _ABOVE:
        if full[upper] <= full[lower]:
            [row] = [row for row in rows() if row[0] == upper]
            raise ConfigError(
                "config: %s = %d, wanted %d..%d %s with %s = %d"
                % (upper, full[upper], full[lower] + 1, row[3], row[5], lower, full[lower])
            )
    if full["detector"] == "ld2451" and abs(full["radar_mount_deg"]) > _LOBE_MAX_DEG:
        raise ConfigError(
            "config: radar_mount_deg = %d, wanted %d..%d degrees with detector = ld2451"
            % (full["radar_mount_deg"], -_LOBE_MAX_DEG, _LOBE_MAX_DEG)
        )
    least = full["radar_offset_m"] * 11 // 4  # offset / tan(20 degrees)
    if full["detector"] == "ld2451" and full["radar_line_m"] < least:
        raise ConfigError(
            "config: radar_line_m = %d, wanted %d..40 m with radar_offset_m = %d"
            % (full["radar_line_m"], least, full["radar_offset_m"])
        )
    for char in _BAD_IN_TOPIC:
        if char in full["mqtt_root"]:
            raise ConfigError("config: mqtt_root = %r holds %r" % (full["mqtt_root"], char))


def is_link(key):
    """True for a setting that can lose the node or hand it over."""
    return " %s " % key in _LINK


def load(nvs, log, keys=("config", "config_ok")):
    """The configuration to run with, and its key in NVS: the first of `keys` that is usable.

    Without one the defaults, and "".
    """
    for key in keys:
        blob = view_blob(nvs, key)
        if blob is None:
            continue
        try:
            return accept(json.loads(blob)), key
        except (ConfigError, ValueError, RuntimeError) as error:  # RuntimeError: nested too deep
            log.error("%s is not usable: %s", key, error)
    log.warn("no usable configuration: defaults")
    return accept({}), ""


def stored(blob):
    """The configuration of a blob of NVS, completed. None if it is not usable, or None.

    The caller reads the blob before it loads this module: it is the largest piece, and a heap
    in use has room for it only at first.
    """
    try:
        return check(json.loads(blob or b""))
    except (ConfigError, ValueError, RuntimeError):
        return None


def alter(nvs, values, change, serial=0):
    """Store `values` with a change for the next start; return all of them.

    serial: of a signature, 0 without one. Raises ConfigError.
    """
    values.update(change)
    store(nvs, values, serial)
    return values


def store(nvs, values, serial=0):
    """Check and store a configuration for the next start. Raises ConfigError."""
    check(values)
    blob = json.dumps(values).encode()
    if len(blob) > BLOB_BYTES_MAX:
        raise ConfigError("config: %d bytes, at most %d" % (len(blob), BLOB_BYTES_MAX))
    if serial:  # first: after a power cut in between nothing can be replayed
        nvs.set_i32("cfg_serial", serial)
    nvs.set_blob("config", blob)
    nvs.set_i32("tries", 0)
    nvs.commit()
