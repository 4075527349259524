"""The prompt: friendly, raw and raw-paste REPL, byte by byte as pyexec.c of MicroPython has them.

The interpreter's own prompt reads the host's terminal in the host's time. This one reads the
virtual board's console. Sources: shared/runtime/pyexec.c, readline.c and py/repl.c for the output,
docs/reference/repl.rst for the raw modes. Line editing has backspace, automatic indentation and
earlier lines (arrow up and down). The cursor stays at the end.

    raw         Ctrl-A: `raw REPL; CTRL-B to exit` CR LF `>`; source, Ctrl-D;
                `OK` output 04 traceback 04 `>`
    raw-paste   05 `A` 01: `R` 01, window u16 little endian, 01; source, Ctrl-D, with 01 for every
                window that was read; 04 output 04 traceback 04 `>`
"""

import builtins
import sys

import port_console
import machine
import seam
from micropython import const

_CTRL_A = const(1)
_CTRL_B = const(2)
_CTRL_C = const(3)
_CTRL_D = const(4)
_CTRL_E = const(5)
_ESCAPE = const(27)
_WINDOW = const(128)  # half of MICROPY_REPL_STDIN_BUFFER_MAX
_COMPOUND = ("if", "while", "for", "try", "with", "def", "class", "async")
_HISTORY = const(8)

_names = {}  # of `__main__`
_lines = []  # typed before, the newest first


def run(kind, raw, names):
    """Serve the console until the node is reset. kind: description of the board for the banner."""
    global _names
    _names = names
    builtins.__repl_print__ = _show
    while True:
        try:
            raw = _raw() if raw else _friendly(kind)
        except SystemExit as end:
            if seam.ended:
                raise end
            machine.end_softly(raw)
        except KeyboardInterrupt:
            pass  # it was for a program that has just ended


def _tx(text):
    port_console.tx_bytes(text, 1)


def _rx_chr():
    """The next byte. While the node waits for a person, time passes as it does for the person."""
    seam.at_prompt = 1
    try:
        return port_console.rx_chr()
    finally:
        seam.at_prompt = 0


def _show(value):
    if value is not None:
        builtins._ = value
        port_console.print_text(repr(value))


def _execute(source, kind, mark=b""):
    """Compile and run. `mark` goes out behind the output and behind the traceback."""
    failure = None
    port_console.kbd_intr(_CTRL_C)
    try:
        exec(compile(source, "<stdin>", kind), _names)
    except SystemExit as end:
        _tx(mark + mark)
        raise end
    except BaseException as error:
        failure = error
    finally:
        port_console.kbd_intr(-1)
        seam.interrupted = False
    _tx(mark)
    if failure:
        port_console.print_exception(failure)
    _tx(mark)


# --- raw


def _raw():
    """Returns False: Ctrl-B leads to the friendly prompt."""
    _tx(b"raw REPL; CTRL-B to exit\r\n")
    source = bytearray()
    _tx(b">")
    while True:
        byte = _rx_chr()
        if byte == _CTRL_A:
            if len(source) != 2 or source[0] != _CTRL_E:
                return True
            _paste(source[1])
        elif byte == _CTRL_B:
            _tx(b"\r\n")
            return False
        elif byte == _CTRL_D:
            _tx(b"OK")
            if not source:
                _tx(b"\r\n")
                raise SystemExit
            _execute(bytes(source), "exec", b"\x04")
        elif byte != _CTRL_C:
            source.append(byte)
            continue
        source = bytearray()
        if byte != _CTRL_C:
            _tx(b">")


def _paste(command):
    """Read source with flow control, two windows ahead, and run it."""
    if command != 65:
        _tx(b"R\x00")
        return
    _tx(b"R\x01" + bytes((_WINDOW, 0)) + b"\x01")
    source = bytearray()
    byte = _rx_chr()
    while byte not in (_CTRL_C, _CTRL_D):
        source.append(byte)
        if len(source) % _WINDOW == 0:
            _tx(b"\x01")
        byte = _rx_chr()
    _tx(b"\x04")
    _execute(bytes(source) if byte == _CTRL_D else b"raise KeyboardInterrupt", "exec", b"\x04")


# --- friendly


def _friendly(kind):
    """Returns True: Ctrl-A leads to the raw prompt."""
    _banner(kind)
    while True:
        text, key = _line(">>> ", "")
        if key == _CTRL_A:
            _tx(b"\r\n")
            return True
        if key == _CTRL_B:
            _tx(b"\r\n")
            _banner(kind)
        elif key == _CTRL_C:
            _tx(b"\r\n")
        elif key == _CTRL_D:
            _tx(b"\r\n")
            raise SystemExit
        elif key == _CTRL_E:
            _paste_mode()
        elif text:
            _statement(text)


def _banner(kind):
    on = sys.version.rsplit(" ", 1)[1]
    major, minor, micro, more = sys.implementation.version
    version = "%d.%d.%d%s" % (major, minor, micro, "-" + more if more else "")
    _tx(("MicroPython v%s on %s; %s\r\n" % (version, on, kind)).encode())
    _tx(b'Type "help()" for more information.\r\n')


def _statement(text):
    """Read on while a statement is not complete, then run it."""
    while _is_open(text):
        text += "\n"
        more, key = _line("... ", _indent(text))
        if key == _CTRL_C:
            _tx(b"\r\n")
            return
        if key == _CTRL_D:
            break
        text += more
    _execute(text, "single")


def _paste_mode():
    """Read up to Ctrl-D, without indentation, and run it as a file."""
    _tx(b"\r\npaste mode; Ctrl-C to cancel, Ctrl-D to finish\r\n=== ")
    source = bytearray()
    byte = _rx_chr()
    while byte not in (_CTRL_C, _CTRL_D):
        source.append(byte)
        _tx(b"\r\n=== " if byte == 13 else bytes((byte,)))
        byte = _rx_chr()
    _tx(b"\r\n")
    if byte == _CTRL_D:
        _execute(bytes(source), "exec")


def _line(prompt, text):
    """Edit a line that begins as `text`. Return it and 0, or the typed control character."""
    _tx((prompt + text).encode())
    line = bytearray(text.encode())
    empty = bytes(line)
    at = 0  # in the history
    while True:
        byte = _rx_chr()
        if byte == _CTRL_C or (byte <= _CTRL_E and line == empty):
            return "", byte
        if byte == 13:
            _tx(b"\r\n")
            typed = line.decode()
            if typed and typed not in _lines[:1]:
                _lines.insert(0, typed)
                del _lines[_HISTORY:]
            return typed, 0
        if byte in (8, 127):
            _rub(line)
        elif byte == _ESCAPE:
            at = _arrow(line, at)
        elif byte >= 32:
            line.append(byte)
            _tx(bytes((byte,)))


def _rub(line):
    """Delete a character, or one level of an indentation."""
    blank = line and not line.strip()
    for _ in range(min(len(line), (len(line) - 1) % 4 + 1 if blank else 1)):
        line[:] = line[:-1]
        _tx(b"\b\x1b[K")


def _arrow(line, at):
    """Go up or down the history. Return the new place in it, 0 for the line that is not in it
    yet."""
    if _rx_chr() != 91:
        return at
    key = _rx_chr()
    if key not in (65, 66):
        return at
    at = max(0, min(len(_lines), at + (1 if key == 65 else -1)))
    _tx(b"\b\x1b[K" * len(line))
    line[:] = _lines[at - 1].encode() if at else b""
    _tx(line)
    return at


def _indent(text):
    """The beginning of the next line: as the last one, one level more behind a colon."""
    last = text.split("\n")[-2]
    levels = (len(last) - len(last.lstrip(" ")) + 3) // 4
    return "    " * (levels + last.endswith(":"))


def _is_open(text):
    """True if more lines belong to this input (the rules of mp_repl_continue_with_input)."""
    quote = ""
    depth = 0
    at = 0
    while at < len(text):
        char = text[at]
        if quote:
            if char == "\\":
                at += 1
            elif text.startswith(quote, at):
                at += len(quote) - 1
                quote = ""
        elif char in "'\"":
            quote = char * 3 if text.startswith(char * 3, at) else char
            at += len(quote) - 1
        else:
            depth += (char in "([{") - (char in ")]}")
        at += 1
    if len(quote) == 3 or (depth > 0 and not quote) or text.endswith("\\"):
        return True
    return _is_compound(text) and not text.endswith("\n")


def _is_compound(text):
    if text.startswith("@"):
        return True
    end = 0
    while end < len(text) and (text[end].isalpha() or text[end].isdigit() or text[end] == "_"):
        end += 1
    return text[:end] in _COMPOUND
