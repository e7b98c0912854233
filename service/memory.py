"""How the daemon's memory is kept, where the C library is glibc.

By itself glibc opens a heap for each of many threads, and keeps in them whatever is smaller than the largest piece
that was ever freed. Answers of some megabytes, jobs and events leave holes in all of them: the process grows for hours.
"""

import ctypes
from contextlib import suppress

# From malloc.h.
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8

LARGE = 128 * 1024  # bytes, where glibc begins


def keep_together() -> None:
    """Have glibc take all memory from one heap, and give large pieces back to the system as soon as they are free.

    To be called before threads begin.
    """
    with suppress(AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, LARGE)
