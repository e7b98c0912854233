"""How the daemon's memory is kept: in a process of its own, because an older heap may have had room for anything."""

import ctypes
import subprocess
import sys

import pytest

from service.memory import keep_together

pytestmark = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="only glibc, from 2.33 on, tells what it holds"
)

LARGE = """
import ctypes
from service.memory import keep_together

libc = ctypes.CDLL(None)

class Mallinfo2(ctypes.Structure):  # malloc.h says it in ten numbers
    _fields_ = tuple((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", *"abcdef"))

libc.mallinfo2.restype = Mallinfo2
{asked}
bytearray(30_000_000)  # freed at once: from here on glibc by itself keeps whatever is smaller
before = libc.mallinfo2().hblks  # pieces asked of the system each by itself, which go back to it once they are free
answer = bytearray(1_000_000)
print(libc.mallinfo2().hblks - before == 1)
"""

HEAPS = """
import ctypes, threading
from service.memory import keep_together

{asked}
found = []

def look():
    piece = bytearray(50_000)
    place = ctypes.addressof((ctypes.c_char * 1).from_buffer(piece))
    with open("/proc/self/maps") as maps:
        bounds = next(line.split()[0].split("-") for line in maps if line.rstrip().endswith("[heap]"))
    found.append(int(bounds[0], 16) <= place < int(bounds[1], 16))

for _ in range(3):
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
print(all(found))
"""


def told(code, asked):
    words = [sys.executable, "-c", code.format(asked=asked)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    ("asked", "expected"), [("keep_together()", "True"), ("", "False")], ids=["asked", "by itself"]
)
def test_large_pieces_go_back_to_the_system(asked, expected):
    assert told(LARGE, asked) == expected


@pytest.mark.parametrize(
    ("asked", "expected"), [("keep_together()", "True"), ("", "False")], ids=["asked", "by itself"]
)
def test_all_threads_share_one_heap(asked, expected):
    assert told(HEAPS, asked) == expected


def test_another_c_library_keeps_it_as_it_will(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    keep_together()
