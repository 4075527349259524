"""A program that only Ctrl-C ends; it notes what reached it."""

import time


def go():
    global caught
    caught = ""
    print("@left", "break")
    try:
        while True:
            time.sleep_ms(20)
    except KeyboardInterrupt:
        caught = "KeyboardInterrupt"
