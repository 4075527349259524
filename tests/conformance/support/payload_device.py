"""Runs in MicroPython: makes frames. Each line of JSON is a task, and each answer a line of JSON.

{"kind": "frame", "log", "room", "turn", "recs": [...]} gives {"hex", "records", "long"}. `event`,
`state` and `answer` give {"hex"}. A downlink ("port", "hex") gives {"parsed"} or {"refused"}.
"""

import json
import sys
from binascii import hexlify, unhexlify

from wire import downlink, note
from wire.frame import Frame
from wire.record import BINS, Interval

BUF = bytearray(255)
FRAME = Frame(BUF)


def record(fields):
    rec = Interval()
    for name in ("seq", "start", "length", "coverage", "why", "detector", "time_source"):
        setattr(rec, name, fields[name])
    for i in range(10):
        rec.counts[i] = fields["counts"][i]
        rec.totals[i] = fields["totals"][i]
    for direction in range(2):
        rec.speed_sum[direction] = fields["speed_sum"][direction]
        for bin_, n in fields["hist"][direction]:
            rec.hist[direction * BINS + bin_] = n
            rec.speed_n[direction] += n
    return rec


def frame(task):
    FRAME.begin(task["log"], task["room"], task["turn"])
    for fields in task["recs"]:
        if not FRAME.add(record(fields), fields["span"]):
            break
    n = FRAME.end()
    return {"hex": hexlify(BUF[:n]).decode(), "records": FRAME.records, "long": FRAME.is_long}


def up(task):
    if task["kind"] == "event":
        n = note.write_event(BUF, task["log"], task["seq"], task["utc"], task["body"])
    elif task["kind"] == "state":
        n = note.write_state(BUF, task["log"], task["values"])
    else:
        n = note.write_answer(BUF, task["id"], task["code"], task["text"])
    return {"hex": hexlify(BUF[:n]).decode()}


def down(task):
    parse = {10: downlink.parse_ack, 11: downlink.parse_command, 12: downlink.parse_config}
    try:
        return {"parsed": parse[task["port"]](unhexlify(task["hex"]))}
    except downlink.Refusal as error:
        return {"refused": [error.name, error.code]}


def main():
    for line in sys.stdin:
        task = json.loads(line)
        work = {"frame": frame, "down": down}.get(task["kind"], up)
        sys.stdout.write(json.dumps(work(task)) + "\n")


main()
