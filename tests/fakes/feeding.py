"""Bytes into the parser of a radar, as a UART's reader gives them."""


def fed(parser, data):
    """Give it all of `data`; yields what `next()` says of each frame while the parser has it."""
    data = memoryview(data)
    while len(data):
        space = parser.space()
        n = min(len(space), len(data))
        space[:n] = data[:n]
        parser.added(n)
        data = data[n:]
        while True:
            kind = parser.next()
            if not kind:
                break
            yield kind
