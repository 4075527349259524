"""A program that only Ctrl-C ends. It keeps the bytes that reached it.

It reads the console byte by byte, as firmware/console/reader.py does. Its bytes were typed by
mpremote: CR and Ctrl-B, when that leaves the raw prompt.
"""

import asyncio
import sys


def go():
    global caught, heard
    caught, heard = "", bytearray()
    print("@left", "break")
    try:
        asyncio.run(_listen())
    except KeyboardInterrupt:
        caught = "KeyboardInterrupt"


async def _listen():
    stream, one = asyncio.StreamReader(sys.stdin.buffer), bytearray(1)
    while True:
        if await stream.readinto(one):
            heard.append(one[0])
