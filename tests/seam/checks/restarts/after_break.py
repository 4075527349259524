"""After Ctrl-C: the interpreter is the same one, and the program knows."""

from prelude import expect


def ctrl_c_is_an_exception():
    """Ctrl-C on the console raises KeyboardInterrupt in the program that runs.

    Source: docs/reference/repl.rst, "Interrupting a running program"

    Leans: mpremote and technicians, and firmware/app.py must not swallow it
    """
    expect(globals().get("caught"), "KeyboardInterrupt")


def bytes_typed_are_heard_as_they_are():
    """A StreamReader on sys.stdin.buffer gets each byte as it was typed, control characters too.

    Source: shared/runtime/sys_stdio_mphal.c, stdio_buffer_obj, and ports/esp32/uart.c

    Leans: firmware/console/reader.py, boards/common/esp32_board.py (console)
    """
    expect(bytes(globals().get("heard")[:2]), b"\r\x02")
