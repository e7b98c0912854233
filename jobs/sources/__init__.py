"""The sources a panel can name: one file each, and what they have in common in `base`."""

from jobs.sources.csv import CsvSource
from jobs.sources.host import HostSource
from jobs.sources.yfinance import YfinanceSource

SOURCES = {"csv": CsvSource, "host": HostSource, "yfinance": YfinanceSource}
