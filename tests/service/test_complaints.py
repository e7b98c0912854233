"""What is said of files that cannot be written."""

import errno
import os

import pytest

from service.complaints import unwritable


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "cannot write a.csv: No space left on device; make room"),
        (errno.EDQUOT, "cannot write a.csv: Disk quota exceeded; make room"),
        (errno.EACCES, "cannot write a.csv: Permission denied; run this as the user whose it is, or try elsewhere"),
        (errno.ENOTDIR, "cannot write a.csv: Not a directory; try elsewhere"),
    ],
)
def test_the_cure_follows_from_what_the_system_refuses(number, told):
    assert unwritable("a.csv", OSError(number, os.strerror(number)), "try elsewhere") == told
