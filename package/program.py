"""What the header of a Linux program tells (ELF, 64 bits, little-endian)."""

import struct

INTERPRETER = 3


def is_static(program):
    """Returns whether `program` (bytes) runs without the shared libraries of a system."""
    if program[:6] != b"\x7fELF\x02\x01":
        raise ValueError("this is no 64-bit program for Linux")
    (start,) = struct.unpack_from("<Q", program, 32)
    size, number = struct.unpack_from("<HH", program, 54)
    kinds = (struct.unpack_from("<I", program, start + size * index)[0] for index in range(number))
    return INTERPRETER not in kinds
