"""The file system, on one file of its own, which is removed again."""

import io
import os
import sys

import vfs
from prelude import Skip, code, expect, raises, truth

_OLD, _NEW = "/tpconform.old", "/tpconform.new"


class _Gone:
    """Neither file exists, before and after."""

    def __enter__(self):
        self._forget()

    def __exit__(self, *_):
        self._forget()

    def _forget(self):
        for name in (_OLD, _NEW):
            try:
                os.remove(name)
            except OSError:
                pass


def written_and_read():
    """Bytes come back, with tell, seek and append. A missing file is ENOENT.

    Source: docs/library/builtins.rst, open, and docs/library/vfs.rst, VfsLfs2

    Leans: the port's boot, and mpremote, and updates
    """
    with _Gone():
        with open(_NEW, "wb") as file:
            expect(file.write(b"one"), 3)
        with open(_NEW, "ab") as file:
            file.write(b"two")
        with open(_NEW, "rb") as file:
            file.seek(2)
            expect((file.read(3), file.tell()), (b"etw", 5))
        expect(code(open, _OLD), 2)


def a_rename_replaces():
    """os.rename puts a file in the place of another one, in one step.

    Source: littlefs, lfs.h, lfs_rename, and docs/library/os.rst, rename

    Leans: updates: /boot.py and /main.py are replaced so
    """
    with _Gone():
        for name, text in ((_OLD, "old"), (_NEW, "new")):
            with open(name, "w") as file:
                file.write(text)
        os.rename(_NEW, _OLD)
        with open(_OLD) as file:
            expect(file.read(), "new")
        expect(code(os.stat, _NEW), 2)


def a_folder_is_listed():
    """ilistdir gives name, type (0x8000 a file, 0x4000 a folder), 0, size.

    Source: docs/library/os.rst, ilistdir

    Leans: mpremote fs, and tools
    """
    with _Gone():
        with open(_NEW, "w") as file:
            file.write("12345")
        found = [entry for entry in os.ilistdir("/") if entry[0] == _NEW[1:]]
        expect(found, [(_NEW[1:], 0x8000, 0, 5)])
        expect(os.stat(_NEW)[6], 5)


def space_is_told():
    """statvfs: blocks of 4096 bytes, fewer free than there are.

    Source: docs/library/os.rst, statvfs

    Leans: tools: space left for an update
    """
    got = os.statvfs("/")
    expect(got[0], 4096)
    truth(0 < got[3] < got[2], "free %d of %d" % (got[3], got[2]))


class _Asked:
    """A file system that notes each question of an import, and has one module, `tpconform`."""

    def __init__(self):
        self.questions = []

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        pass

    def stat(self, path):
        self.questions.append(path)
        if path != "/tpconform.py":
            raise OSError(2)
        return (0x8000,) + (0,) * 9

    def open(self, path, mode):
        return io.BytesIO(b"SEEN = 5\n")


def an_import_asks_a_mounted_object():
    """A module is asked for as folder, source and .mpy. A mounted object may answer.

    Source: py/builtinimport.c, stat_module, and extmod/vfs.c, mp_vfs_import_stat

    Leans: boot.py, whose search saves most reads of a start
    """
    asked = _Asked()
    vfs.mount(asked, "/tpconform")
    sys.path.insert(0, "/tpconform")
    try:
        expect(__import__("tpconform").SEEN, 5)
        raises(ImportError, __import__, "tpconform2")
        names = ["/tpconform2", "/tpconform2.py", "/tpconform2.mpy"]
        expect(asked.questions, ["/tpconform", "/tpconform.py"] + names)
    finally:
        sys.path.pop(0)
        vfs.umount("/tpconform")
        sys.modules.pop("tpconform", None)


def the_tested_umqtt_is_the_one_that_runs():
    """The slot's umqtt.simple comes before the one that is frozen into MicroPython.

    Source: py/builtinimport.c, stat_top_level, and ports/esp32/boards/manifest.py

    Leans: lib/mqtt, which knows the faults of that version
    """
    try:
        os.stat("/a/umqtt/simple.mpy")
    except OSError:
        raise Skip("no application on the board")
    import umqtt.simple

    expect(umqtt.simple.__file__.partition("/umqtt/")[0] in ("/s", "/rom"), True)
