"""Feeds bytes into the parser of a radar, as the reader of a UART does."""


def fed(parser, data):
    """Feed all of `data`. Yields the result of `next()` for each frame, while it is parsed."""
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
