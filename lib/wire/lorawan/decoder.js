// Payload codec of a Tallypost counting node: ECMAScript 5.1, no dependencies.
//
// The Things Stack and ChirpStack v4 call the same three functions: decodeUplink(input),
// encodeDownlink(input) and decodeDownlink(input). The layouts are in wire/frame.py, wire/note.py
// and wire/downlink.py; README.md beside this file has the tables.

var VERSION = 1;
var CLASSES = ["pedestrian", "bicycle", "car", "heavy", "unknown"];
var DIRECTIONS = ["forward", "backward"];
var REASONS = ["boot", "silent", "blocked", "misconfigured", "overflow", "clock", "restored", "config",
  "forward_unseen", "backward_unseen", "line_unseen", "silence"];
var DETECTORS = ["unknown", "ok", "quiet", "silent", "blocked", "misaligned", "misconfigured"];
var SOURCES = ["none", "rtc", "ntp", "lorawan", "anchor"];
var RESETS = ["unknown", "power_on", "hard", "watchdog", "deepsleep", "soft"];
var CODES = ["ok", "unknown", "bad_value", "malformed", "foreign_log", "not_held", "busy"];
var NUMBER_BITS = [14, 17, 20, 32];
var LENGTHS = [60, 300, 900, 1800, 3600];
var EPOCH = 1735689600; // 2025-01-01
var START_UNKNOWN = 0x3fffff;
var COMMANDS = ["", "ping", "state", "resend", "reboot"];
var KEYS = ["", "interval_min", "checkpoint_s", "log_level", "radar_line_m", "radar_max_m",
  "radar_min_kmh", "radar_dir_approach", "radar_mount_deg", "beam_gap_mm", "beam_blocked_level",
  "beam_debounce_ms", "beam_merge_ms", "class_ped_max_kmh", "class_bike_max_kmh",
  "lora_airtime_s", "lora_after_min"];

function Reader(bytes) {
  this.bytes = bytes;
  this.pos = 0; // in bits
}

// Sums instead of shifts: 32-bit numbers have no sign here.
Reader.prototype.bits = function (width) {
  var value = 0;
  if (this.pos + width > this.bytes.length * 8) {
    throw new Error("frame ends early, at " + this.bytes.length + " bytes");
  }
  while (width > 0) {
    var take = Math.min(8 - (this.pos % 8), width);
    var chunk = this.bytes[Math.floor(this.pos / 8)] >> (8 - (this.pos % 8) - take);
    value = value * Math.pow(2, take) + (chunk & (Math.pow(2, take) - 1));
    this.pos += take;
    width -= take;
  }
  return value;
};

Reader.prototype.signed = function (width) {
  var value = this.bits(width);
  return value < Math.pow(2, width - 1) ? value : value - Math.pow(2, width);
};

Reader.prototype.name = function (names, width) {
  var value = this.bits(width);
  if (!names[value]) {
    throw new Error("value " + value + " at bit " + this.pos + " has no meaning");
  }
  return names[value];
};

Reader.prototype.width = function () {
  var width = this.bits(4);
  return width === 15 ? 16 : width;
};

Reader.prototype.text = function () {
  var text = "";
  while (this.pos < this.bytes.length * 8) {
    text += String.fromCharCode(this.bits(8));
  }
  return text;
};

Reader.prototype.end = function () {
  var left = this.bytes.length * 8 - this.pos;
  if (left >= 8 || this.bits(left) !== 0) {
    throw new Error("something is left over behind the frame");
  }
};

function hex(value, digits) {
  var text = value.toString(16);
  while (text.length < digits) {
    text = "0" + text;
  }
  return text;
}

function timeText(utc) {
  return new Date(utc * 1000).toISOString().replace(".000Z", "Z");
}

function readNumber(reader) {
  var seq = reader.bits(NUMBER_BITS[reader.bits(2)]);
  if (seq === 0) {
    throw new Error("records are numbered from 1 on");
  }
  return seq;
}

function readStart(reader) {
  var units = reader.bits(22);
  var seconds = reader.bits(1) ? reader.bits(9) : 0;
  return units === START_UNKNOWN ? null : EPOCH + 300 * units + seconds;
}

function readLength(reader) {
  var code = reader.bits(3);
  if (code === 7) {
    return reader.bits(16);
  }
  if (code >= LENGTHS.length) {
    throw new Error("length code " + code + " has no meaning");
  }
  return LENGTHS[code];
}

function readReasons(reader) {
  var why = reader.bits(reader.width());
  var found = [];
  for (var i = 0; i < 16; i++) {
    if ((why >> i) & 1) {
      found.push(i < REASONS.length ? REASONS[i] : "bit" + i);
    }
  }
  return found;
}

function readState(reader, rec) {
  rec.cov = rec.len;
  rec.why = [];
  rec.det = "ok";
  if (!reader.bits(1)) {
    rec.cov -= reader.bits(reader.width());
    rec.why = readReasons(reader);
    rec.det = reader.name(DETECTORS, 3);
  }
  if (rec.cov < 0) {
    throw new Error("more seconds missed than the interval has");
  }
}

function readSpeeds(reader, rec) {
  rec.speed = {};
  DIRECTIONS.forEach(function (direction) {
    rec.speed[direction] = null;
    if (!reader.bits(1)) {
      return;
    }
    var mean = reader.bits(8);
    var v85 = reader.bits(7);
    rec.speed[direction] = { mean: mean / 2, v85: Math.min(v85, 124) };
    if (mean === 255) {
      rec.limit.push("mean." + direction);
    }
    if (v85 === 127) {
      rec.limit.push("v85." + direction);
    }
  });
}

function readCounts(reader, rec) {
  rec.counts = { forward: {}, backward: {} };
  CLASSES.forEach(function (cls) {
    var width = reader.width();
    DIRECTIONS.forEach(function (direction) {
      var count = reader.bits(width);
      rec.counts[direction][cls] = count;
      if (count === 65535) {
        rec.limit.push("counts." + direction + "." + cls);
      }
    });
  });
}

// last: the record read before, or null. Its place says where this one may lie.
function readRecord(reader, last) {
  var rec = { limit: [] };
  var adjacent = last !== null && reader.bits(1) === 1;
  var start = null;
  if (adjacent) {
    rec.seq = last.first - 1;
  } else {
    rec.seq = readNumber(reader);
    start = readStart(reader);
  }
  rec.first = rec.seq - (reader.bits(1) ? reader.bits(6) : 0);
  if (rec.first < 1 || (last !== null && rec.seq >= last.first)) {
    throw new Error("number " + rec.seq + " is out of order");
  }
  rec.len = readLength(reader);
  if (adjacent) {
    if (last.start === null) {
      throw new Error("no time to lie before");
    }
    start = Date.parse(last.start) / 1000 - rec.len;
  }
  rec.start = start === null ? null : timeText(start);
  rec.time = reader.name(SOURCES, 3);
  readState(reader, rec);
  readSpeeds(reader, rec);
  readCounts(reader, rec);
  return rec;
}

function readFrame(reader, data) {
  data.log = hex(reader.bits(16), 4);
  data.recs = [readRecord(reader, null)];
  data.long = reader.pos + 2 > 24 * 8;
  while (reader.bits(1)) {
    data.recs.push(readRecord(reader, data.recs[data.recs.length - 1]));
  }
  data.totals = null;
  if (reader.bits(1)) {
    var cls = reader.name(CLASSES, 3);
    var width = reader.bits(5);
    data.totals = { "class": cls, forward: reader.bits(width), backward: reader.bits(width) };
  }
  reader.end();
}

function readEvent(reader, data) {
  data.log = hex(reader.bits(16), 4);
  var seq = reader.bits(32);
  var utc = reader.bits(32);
  var code = reader.bits(8);
  data.utc = utc ? timeText(utc) : null;
  if (code !== 6) {
    data.seq = seq;
  }
  if (code === 0) {
    data.event = reader.text();
  } else if (code === 1) {
    data.event = "start";
    data.reset = reader.name(RESETS, 8);
    data.boot = reader.bits(16);
    data.dropped = reader.bits(32);
    data.version = reader.text();
  } else if (code === 2) {
    data.event = "detector";
    data.was = reader.name(DETECTORS, 8);
    data.state = reader.name(DETECTORS, 8);
  } else if (code === 3) {
    data.event = "clock_step";
    data.seconds = reader.signed(32);
  } else if (code === 4) {
    data.event = "fault";
    data.code = reader.bits(16);
  } else if (code === 5) {
    data.event = "anchor";
    data.boot = reader.bits(16);
    data.uptime = reader.bits(32);
    data.source = reader.name(SOURCES, 8);
  } else if (code === 6) {
    data.event = "gone";
    data.from = reader.bits(32);
    data.to = reader.bits(32);
  } else {
    throw new Error("event code " + code + " has no meaning");
  }
  reader.end();
}

function readNodeState(reader, data) {
  data.log = hex(reader.bits(32), 8);
  data.newest = reader.bits(32);
  data.oldest = reader.bits(32);
  data.boot = reader.bits(16);
  data.reset = reader.name(RESETS, 8);
  data.det = reader.name(DETECTORS, 8);
  data.time = reader.name(SOURCES, 8);
  data.cfg = hex(reader.bits(32), 8);
  var mv = reader.bits(16);
  var temp = reader.signed(8);
  data.mv = mv === 0 ? null : mv;
  data.temp = temp === -128 ? null : temp;
  data.heap_kb = reader.bits(16);
  data.refused = reader.bits(8);
  reader.end();
}

function readAnswer(reader, data) {
  data.id = reader.bits(8);
  data.code = reader.name(CODES, 8);
  data.ok = data.code === "ok";
  data.text = reader.text();
}

var UPLINKS = {
  1: ["counts", readFrame],
  2: ["again", readFrame],
  3: ["event", readEvent],
  4: ["state", readNodeState],
  5: ["answer", readAnswer]
};

function warningsOf(data) {
  var found = [];
  (data.recs || []).forEach(function (rec) {
    rec.limit.forEach(function (name) {
      found.push("record " + rec.seq + ": " + name + " is at its limit: so much or more");
    });
  });
  return found;
}

function guarded(work) {
  try {
    return work();
  } catch (error) {
    return { errors: [error.message] };
  }
}

function decodeUplink(input) {
  return guarded(function () {
    var known = UPLINKS[input.fPort];
    var reader = new Reader(input.bytes);
    if (!known) {
      throw new Error("fPort " + input.fPort + " has no meaning");
    }
    var data = { type: known[0], v: reader.bits(8) };
    if (data.v !== VERSION) {
      throw new Error("version " + data.v + ", this codec knows " + VERSION);
    }
    known[1](reader, data);
    return { data: data, warnings: warningsOf(data), errors: [] };
  });
}

function putNumber(bytes, value, size, what) {
  var most = Math.pow(2, 8 * size);
  if (typeof value !== "number" || value % 1 !== 0 || value < 0 || value >= most) {
    throw new Error(what + ": a whole number below " + most + " is wanted");
  }
  for (var i = size - 1; i >= 0; i--) {
    bytes.push(Math.floor(value / Math.pow(256, i)) % 256);
  }
}

function putLog(bytes, log) {
  if (typeof log !== "string" || !/^([0-9a-f]{4}|[0-9a-f]{8})$/.test(log)) {
    throw new Error("log: 4 or 8 hex digits are wanted");
  }
  putNumber(bytes, parseInt(log.slice(-4), 16), 2, "log");
}

function putCommand(bytes, data) {
  var command = COMMANDS.indexOf(data.cmd);
  if (command < 1) {
    throw new Error("cmd: one of " + COMMANDS.slice(1).join(", ") + " is wanted");
  }
  putNumber(bytes, data.id, 1, "id");
  bytes.push(command);
  if (data.cmd === "resend") {
    putLog(bytes, data.log);
    putNumber(bytes, data.from, 4, "from");
    putNumber(bytes, data.to, 4, "to");
  }
}

function putConfig(bytes, data) {
  var names = Object.keys(data.config);
  if (names.length < 1 || names.length > 8) {
    throw new Error("config: one to eight keys are wanted");
  }
  putNumber(bytes, data.id, 1, "id");
  names.forEach(function (name) {
    var key = KEYS.indexOf(name);
    var value = data.config[name];
    if (key < 1) {
      throw new Error("config: " + name + " cannot be set over the air");
    }
    if (typeof value !== "number" || value < -32768 || value > 32767) {
      throw new Error("config: " + name + " is no number of 16 bits");
    }
    bytes.push(key);
    putNumber(bytes, value < 0 ? value + 65536 : value, 2, name);
  });
}

function encodeDownlink(input) {
  return guarded(function () {
    var data = input.data;
    var bytes = [VERSION];
    var fPort = 11;
    if (data.ack) {
      fPort = 10;
      putLog(bytes, data.ack.log);
      putNumber(bytes, data.ack.seq, 4, "seq");
    } else if (data.config) {
      fPort = 12;
      putConfig(bytes, data);
    } else {
      putCommand(bytes, data);
    }
    return { bytes: bytes, fPort: fPort, warnings: [], errors: [] };
  });
}

function readCommand(reader) {
  var data = { id: reader.bits(8), cmd: reader.name(COMMANDS, 8) };
  if (data.cmd === "resend") {
    data.log = hex(reader.bits(16), 4);
    data.from = reader.bits(32);
    data.to = reader.bits(32);
  }
  return data;
}

function readConfig(reader) {
  var data = { id: reader.bits(8), config: {} };
  while (reader.pos < reader.bytes.length * 8) {
    data.config[reader.name(KEYS, 8)] = reader.signed(16);
  }
  return data;
}

function decodeDownlink(input) {
  return guarded(function () {
    var reader = new Reader(input.bytes);
    var data;
    if (reader.bits(8) !== VERSION) {
      throw new Error("version " + input.bytes[0] + ", this codec knows " + VERSION);
    }
    if (input.fPort === 10) {
      data = { ack: { log: hex(reader.bits(16), 4), seq: reader.bits(32) } };
    } else if (input.fPort === 11) {
      data = readCommand(reader);
    } else if (input.fPort === 12) {
      data = readConfig(reader);
    } else {
      throw new Error("fPort " + input.fPort + " has no meaning");
    }
    reader.end();
    return { data: data, warnings: [], errors: [] };
  });
}
