"""Times as the database holds them: UTC, as whole microseconds since 1970.

A plain `DateTime` drops the time zone on SQLite without a word; an integer cannot.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Dialect
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime. Raises ValueError for a naive one: nobody knows its instant."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone; pass an aware datetime, as in datetime.now(UTC)")
    return (moment - EPOCH) // MICROSECOND


def from_us(us: int) -> datetime:
    """The UTC datetime of so many microseconds since 1970."""
    return EPOCH + us * MICROSECOND


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in Python, an integer in the table."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002  the base class's signature
        return None if value is None else to_us(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  likewise
        return None if value is None else from_us(value)
