"""A task that dies is noted, and the node starts over, even when nothing can be noted."""

import asyncio

from app import App


class Dying(App):
    """The application as far as its tasks go; full: the heap holds not even a line of text."""

    def __init__(self, full):
        self.board = self.log = self
        self.full = full
        self.said = []
        self.resets = 0

    def error(self, text, *args):
        if self.full:
            raise MemoryError
        self.said.append(text % args)

    def print_exception(self, error):
        self.said.append(error)

    def reset(self):
        self.resets += 1
        raise SystemExit  # as on the chip, it does not return


async def _broken():
    raise ValueError("broken")


def _die(full):
    app = Dying(full)
    try:
        asyncio.run(app._guarded(_broken(), "link"))
    except SystemExit:
        pass
    return app


def test_a_task_that_dies_is_noted_and_the_node_starts_over():
    app = _die(full=False)
    assert app.resets == 1 and app.said[0] == "fault 1: link: ValueError('broken',)"
    assert isinstance(app.said[1], ValueError)


def test_a_full_heap_does_not_keep_the_node_from_starting_over():
    app = _die(full=True)
    assert app.resets == 1 and app.said == []
