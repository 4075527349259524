"""Boots a node as `start` of the simulator does, with every access to the flash counted.

Takes the place of `start`, whose own text is the module `node_start`. Whenever the node waits, the
log gets a line `@reads accesses bytes`, if there were any.

Where the flash holds a ROMFS image at the end of the partition `factory`, it is mounted as a
MicroPython with `MICROPY_VFS_ROM` does: outside the heap, as `/rom`, on the search path.

It also looks for the built-in modules that the simulator replaces as the chip does: in files
first, at every import, unless `sys.modules` has them (py/builtinimport.c of MicroPython).
"""

import os
import sys

import seam
import esp32
import vfs

_ROM_BLOCK, _ROM_BLOCKS = 464, 32  # of the partition
_REPLACED = ("time", "select", "socket", "machine", "errno")
_AT_FIRST = ["", ".frozen", "/lib"]  # the search path before any file of the image has run

found = {}  # the replaced modules
count = [0, 0]  # accesses, bytes
told = 0
was_readblocks = esp32.Partition.readblocks
was_import = esp32.imported
was_idle = seam.idle


def readblocks(self, block, buf, offset=0):
    count[0] += 1
    count[1] += len(buf)
    was_readblocks(self, block, buf, offset)


def mount_rom():
    partition = esp32.Partition("factory")
    head = bytearray(8)
    was_readblocks(partition, _ROM_BLOCK, head)
    if head[:3] == b"\xd2\xcd\x31":
        rom = seam.outside(_ROM_BLOCKS * 4096)
        was_readblocks(partition, _ROM_BLOCK, rom)
        vfs.mount(vfs.VfsRom(rom), "/rom")
        sys.path.append("/rom")


def search(name):
    for folder in sys.path:
        for suffix in ("", ".py", ".mpy"):
            try:
                os.stat((folder + "/" if folder else "") + name + suffix)
            except OSError:
                pass


def imported(name, *rest):
    if not found and sys.path == _AT_FIRST:
        for module in _REPLACED:
            if module in sys.modules:
                found[module] = sys.modules.pop(module)
        mount_rom()
    if name in found and name not in sys.modules:
        search(name)
        return found[name]
    return was_import(name, *rest)


def idle(deadline, woken):
    global told
    if told != count[0]:
        told = count[0]
        seam.send(seam.LOG, 0, 0, b"@reads %d %d\n" % tuple(count))
    return was_idle(deadline, woken)


esp32.Partition.readblocks = readblocks
esp32.imported = imported
seam.idle = idle
import node_start  # noqa: E402,F401
