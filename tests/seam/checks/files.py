"""The file system, on one file of its own, which is removed again."""

import os

from prelude import code, expect, truth

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
