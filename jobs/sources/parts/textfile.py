"""A file of text, plain or packed with gzip, read from any place on in blocks of whole lines. It may be growing."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from db.times import from_us
from jobs.longfile import GZIP, SIGNATURES
from jobs.sources.base import SourceDownError

BLOCK = 8_000_000  # bytes of whole lines handled at once; no line may be longer
READ = 1 << 20  # bytes
PARQUET = b"PAR1"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
QUIET = timedelta(seconds=5)  # after which nobody is amid writing a last line that has no end


@dataclass(frozen=True)
class Identity:
    """What a file looks like from outside: as long as that is the same, so is what is in it."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, stat: os.stat_result) -> "Identity":
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ino)

    def is_quiet(self, now: datetime) -> bool:
        """Whether nobody has written for a while."""
        return now - from_us(self.mtime_ns // 1000) >= QUIET


class TextFile:
    """An open file as it was when it was opened. Places in it are bytes of its text, unpacked."""

    def __init__(self, path: Path, handle: BinaryIO) -> None:
        self.path = path
        self.identity = Identity.of(os.fstat(handle.fileno()))
        start = handle.read(4)
        handle.seek(0)
        packed = start.startswith(GZIP)
        self._handle: BinaryIO | gzip.GzipFile = gzip.GzipFile(fileobj=handle) if packed else handle
        self._size = None if packed else self.identity.size  # what is written from now on is left for the next time
        told = next((told for signature, told in SIGNATURES.items() if start.startswith(signature)), None)
        if start.startswith(UTF_16):
            told = "text in UTF-16; save it in UTF-8"
        if told is not None and not packed:
            raise SourceDownError(f"{path} is {told}")

    def first_line(self) -> bytes:
        """The first line and its end, which is missing where it is not written yet."""
        self._handle.seek(0)
        with self._told():
            return self._handle.readline(BLOCK)

    def blocks(self, start: int, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Blocks of whole lines from one place to another, and where each begins; then a last line without its end."""
        rest = b""
        for read in self._reads(start, stop, BLOCK):
            block = rest + read
            end = block.rfind(b"\n") + 1
            if end:
                yield start, block[:end]
            elif len(block) > BLOCK:
                raise SourceDownError(f"{self.path} has a line of more than {BLOCK:,} bytes; expected a row a line")
            start += end
            rest = block[end:]
        if rest:
            yield start, rest

    def digest(self, stop: int) -> "hashlib.blake2b":
        """Of all up to a place; more can be added to it."""
        digest = hashlib.blake2b(digest_size=8)
        for read in self._reads(0, stop, READ):
            digest.update(read)
        return digest

    def ends_a_line(self, place: int) -> bool:
        """Whether a line ends right before the place, or there."""
        around = b"".join(self._reads(place - 1, place + 2, 3)) if place else b"\n"
        return len(around) < 2 or around.startswith(b"\n") or around[1:].startswith((b"\n", b"\r\n"))

    def _reads(self, start: int, stop: int | None, size: int) -> Iterator[bytes]:
        if self._size is not None:
            stop = self._size if stop is None else min(stop, self._size)
        with self._told():
            self._handle.seek(start)
            while read := self._handle.read(size if stop is None else min(size, max(stop - start, 0))):
                yield read
                start += len(read)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Whatever goes wrong while reading becomes a SourceDownError."""
        try:
            yield
        except (OSError, EOFError, zlib.error) as error:
            raise unreadable(self.path, error) from error


def identity_of(path: Path) -> Identity:
    """Of a file. Raises SourceDownError."""
    try:
        return Identity.of(path.stat())
    except OSError as error:
        raise unreadable(path, error) from error


def is_parquet(path: Path) -> bool:
    """Whether the file is one of parquet. Raises SourceDownError."""
    with _handle(path) as handle:
        return handle.read(4) == PARQUET


@contextmanager
def opened(path: Path) -> Iterator[TextFile]:
    """Open a file of text. Raises SourceDownError."""
    with _handle(path) as handle:
        yield TextFile(path, handle)


def _handle(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> SourceDownError:
    """What to say of a file that cannot be read."""
    told = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
    return SourceDownError(f"{path} cannot be read: {told}")
