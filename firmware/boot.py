"""Runs first: the end of Ctrl-C, the search path, and a quick search for modules until `main.py`
has built all.

MicroPython asks for a module as a folder, as source and as `.mpy`, in every folder of the search
path, and LittleFS reads the flash some fifty times for each answer. It looks for most built-in
modules in files first, at every import. The slot comes before `.frozen`, which holds a
`umqtt.simple` of its own. Other folders are not searched. Updates never touch this file.
"""

import gc
import os
import sys

import micropython
import vfs

while True:  # from here on Ctrl-C is a byte like any other: at a prompt a board counts nothing
    try:
        micropython.kbd_intr(-1)
        for _ in "ab":  # a Ctrl-C that came before is raised at the end of a turn
            pass
        break
    except KeyboardInterrupt:
        pass


class Slot:
    """A file system for `import` alone: the first question for a module opens its file.

    folder: the application's slot. Lack of memory in `stat` would look like a missing module, so
    it is not for a node in service.
    """

    def __init__(self, folder):
        self._folder = folder
        self._packages = ["/" + entry[0] for entry in os.ilistdir(folder) if entry[1] == 0x4000]
        self._path = self._file = None  # of the last question

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        self._find(None)

    def stat(self, path):
        """What `os.stat` returns, as far as an import reads it. Raises OSError."""
        if path in self._packages:
            return (0x4000,) + (0,) * 9
        if path.endswith(".py") or path.partition(".")[0] in (
            "/array", "/binascii", "/collections", "/errno", "/hashlib", "/io", "/json",
            "/machine", "/os", "/random", "/select", "/socket", "/struct", "/time",
        ):  # fmt: skip
            raise OSError(2)
        is_module = path.endswith(".mpy")
        found = self._find(path if is_module else path + ".mpy")
        if is_module and found:
            return (0x8000,) + (0,) * 9
        if is_module or found:
            raise OSError(2)
        return os.stat(self._folder + path)

    def ilistdir(self, path):
        return os.ilistdir(self._folder + path)

    def open(self, path, mode):
        file = self._find(path)
        self._path = self._file = None
        return file

    def _find(self, path):
        """The open file of a path, None if there is none."""
        if path != self._path:
            if self._file:
                self._file.close()
            self._path, self._file = path, None
            try:
                self._file = path and open(self._folder + path, "rb")
            except OSError:
                pass
        return self._file


del micropython, _
gc.threshold(4096)  # while modules load: resident objects lie together, large buffers find room
if "/rom" in sys.path and "build.mpy" in os.listdir("/rom"):  # a MicroPython with ROMFS
    sys.path[:] = ["/rom", ".frozen"]
else:
    sys.path[:] = ["/s", ".frozen"]
    vfs.mount(Slot("/a"), "/s")  # a short name: each module keeps its path
del Slot
