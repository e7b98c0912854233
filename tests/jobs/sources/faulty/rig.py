"""Real sources, each with what lies behind it, that can be broken and mended.

All are of one series, and of an hourly panel. What a rig can:

- `put(rows)`: these rows, (time, value) in this order, are what there is from now on; a time without a zone is written
  as a clock on the wall shows it;
- `break_(fault)`: the fault of that name strikes;
- `mend()`: it is over.
"""

from datetime import timedelta

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TIMEOUT = 1.0  # seconds, of sources that have one
PATIENCE = timedelta(seconds=0.3)  # with others that hang
GARBAGE = "<html><body>Please log in</body></html>"


class Rig:
    """What all have in common."""

    patience = timedelta(minutes=1)  # the panel's fetch_timeout
    source = None

    def mend(self):
        self.patience = Rig.patience
