"""Files that go away, hang, are cut and filled with garbage."""

import os
import subprocess
import sys
from datetime import timedelta

from jobs.sources.csv import CsvSource
from jobs.sources.replay import ReplaySource
from tests.jobs.sources.faulty.rig import GARBAGE, HOUR, PATIENCE, Rig


class CsvRig(Rig):
    def __init__(self, folder, clock):
        self._path = folder / "prices.csv"
        self._clock = clock
        self._lease = None
        self.source = CsvSource(self._path)

    def put(self, rows):
        self._text = "".join(f"a,{at.isoformat()},{value}\n" for at, value in rows)
        self._write(self._text, age=HOUR)

    def break_(self, fault):
        match fault:
            case "down":
                self._path.unlink()
            case "slow":
                self.patience = PATIENCE
                self._lease = Lease(self._path)
            case "garbage":
                self._write(f"{self._text}a,yesterday,5\na,2026-01-05T00:00:00Z,n. a.\n{GARBAGE}\n", age=HOUR)
            case "truncated":
                self._write(self._text[:-3], age=timedelta(0))

    def mend(self):
        super().mend()
        if self._lease is not None:
            self._lease.end()

    def _write(self, text, *, age):
        self._path.write_text(f"unique_id,ds,y\n{text}")
        then = (self._clock() - age).timestamp()
        os.utime(self._path, (then, then))


class ReplayRig(CsvRig):
    """Plays the world's rows at the times they have, if the first fetch comes three hours after the first of them."""

    def __init__(self, folder, clock, world):
        super().__init__(folder, clock)
        self._world = world
        self.source = ReplaySource(self._path, history=2 / len(world))

    def put(self, rows):
        rest = [row for row in self._world if rows[0][0].tzinfo and row[0] not in dict(rows)]
        super().put([*rows, *rest])


class Lease:
    """Makes whoever opens a file wait, as a network share does that hangs."""

    HOLDER = """if True:
        import fcntl, signal, sys
        signal.signal(signal.SIGIO, signal.SIG_IGN)  # it comes when somebody waits
        file = open(sys.argv[1], "r+")
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        print("held", flush=True)
        sys.stdin.read()
    """

    def __init__(self, path):
        command = [sys.executable, "-c", self.HOLDER, str(path)]
        self._holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout.readline() == "held\n"

    def end(self):
        if self._holder.poll() is None:
            self._holder.communicate()
