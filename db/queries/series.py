"""The series, and whether the database answers."""

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from db.schema import Series


def ping(session: Session) -> None:
    """Raise where the database does not answer."""
    session.execute(text("SELECT 1 FROM series LIMIT 1"))


def series_of_panel(session: Session, panel: str) -> list[Series]:
    """A panel's series, by name."""
    return list(session.scalars(select(Series).where(Series.panel == panel).order_by(Series.name)))


def all_series(session: Session) -> list[Series]:
    """Every series, by panel and name."""
    return list(session.scalars(select(Series).order_by(Series.panel, Series.name)))


def find_series(session: Session, name: str) -> Series | None:
    """The series of that name."""
    return session.scalar(select(Series).where(Series.name == name))


def add_series(session: Session, name: str, panel: str) -> Series:
    """A new series of a panel."""
    series = Series(name=name, panel=panel)
    session.add(series)
    session.flush()
    return series
