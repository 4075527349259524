"""What the chip would need for the objects in this interpreter's heap.

Words are 4 bytes there and 8 here, and blocks of the heap 16 and 32 bytes. So an object of words
takes as many blocks there, and half the bytes. Contents (bytes, text, bytecode) take as many
bytes. A word whose upper 16 bits are neither 0 nor all ones is no pointer, no small integer and no
name: it is part of contents. Large objects with many of those, or with nothing but zeros, are
contents as a whole. `tests/simulator/device/test_heap_words.py` compares with a 32-bit
interpreter.
"""

import micropython


@micropython.viper
def chip_bytes(table: int, pool: int, blocks: int) -> int:
    """Bytes in use on the chip. table: two bits a block (1 head, 2 tail). pool: the blocks."""
    kinds = ptr8(table)  # noqa: F821
    halves = 0  # of a block of the chip
    i = 0
    while i < blocks:
        four = kinds[i >> 2]
        if (four >> ((i & 3) << 1)) & 3 == 0:
            i += 4 if four == 0 and i & 3 == 0 else 1
            continue
        start = i
        i += 1
        while i < blocks and (kinds[i >> 2] >> ((i & 3) << 1)) & 3 == 2:
            i += 1
        halves += int(_halves(pool + (start << 5), (i - start) << 2))
    return halves << 3


@micropython.viper
def _halves(address: int, words: int) -> int:
    """Half blocks of the chip for an object of that many words."""
    half_words = ptr32(address)  # noqa: F821
    contents = 0
    references = 0
    k = 1
    while k < words << 1:
        top = (half_words[k] >> 16) & 0xFFFF
        if top == 0:
            if half_words[k] | half_words[k - 1]:
                references += 1
        elif top == 0xFFFF:
            references += 1
        else:
            contents += 1
        k += 2
    if words == 4:
        first = (half_words[1] >> 16) & 0xFFFF
        third = (half_words[5] >> 16) & 0xFFFF
        long_text = first != 0 and first != 0xFFFF and third != 0 and third != 0xFFFF
        return 4 if long_text else 2
    if contents * 10 >= words * 3 or references == 0:
        return words - 1  # the last block here is half full, in the mean
    return (((words + contents) * 4 + 15) >> 4) << 1
