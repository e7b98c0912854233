"""Configurations: what one learner works with, and the rules by which a panel gets a few of them to choose from.

Rules, not constants: all sizes follow from the seasons, the horizon and how much history there is. No rule knows a data
set. Shape letters: L lookback, M values a patch, T patches (L = T·M), C values of a context, H horizon.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from models.classical import N_RECENT, Candidate, Last, SeasonMean, SeasonShift, Theta, from_words, to_words

SEASONS_NEEDED = 3  # whole seasons before a horizon that a history must hold for the season to be considered
MAX_PATCH = 48
MAX_PATCHES = 24
MIN_PATCHES = 3
LONGEST_SEASON = MAX_PATCH * MAX_PATCHES // 2  # of which two fit into a lookback: a longer one is seen from its level
SHORT_PATCH = 13  # a season up to this long is one patch, where levels are not taken over it
SMOOTHINGS = (0.1, 0.3, 0.6, 0.95)  # from a level that hardly moves to one that is the last value
THETA_SPAN = 60  # values that the Theta method looks back over, or four seasons


@dataclass(frozen=True)
class Family:
    """How seasons matter: which there are, and the one that levels and units are taken over; 1 for none."""

    seasons: tuple[int, ...]
    season: int


@dataclass(frozen=True)
class Configuration:
    """One way to see the panel: candidates of the base, transform, and the sizes of what is learnt."""

    name: str
    candidates: tuple[Candidate, ...]
    log: bool
    season: int  # that levels and units are taken over; 1 for none
    lookback: int
    patch: int
    context: int
    spacing: int  # values between the origins at which the candidates are compared

    def to_words(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {**vars(self), "candidates": [to_words(candidate) for candidate in self.candidates]}

    @classmethod
    def from_words(cls, words: Mapping[str, Any]) -> Self:
        """What `to_words` put into words. Raises BadInputError, KeyError or TypeError where they are none."""
        candidates = tuple(from_words(candidate) for candidate in words["candidates"])
        return cls(**{**words, "candidates": candidates})


def families(seasons: Sequence[int], length: int, horizon: int) -> list[Family]:
    """The ways in which seasons can matter for histories of some length.

    Not at all; beside a level that wanders by itself; or as what moves the series. Which one, the data tell.
    """
    held = tuple(sorted({s for s in seasons if s > 1 and SEASONS_NEEDED * s + horizon <= length}))
    found = [Family((), 1)]
    if held:
        found.append(Family(held, 1))
    if held and held[0] <= LONGEST_SEASON:
        found.append(Family(held, held[0]))
    return found


def configurations(family: Family, length: int, horizon: int, *, positive: bool) -> list[Configuration]:
    """What is worth a try in a family, for histories of some (median) length; the first is the plainest.

    positive: whether all values are above zero, so that logarithms exist; a raw twin is tried beside them.
    """
    patch, lookback = _sizes(family, length, horizon)
    spacing = family.season if family.season > 1 else -(-horizon // 2)
    room = max(lookback, length, 2 * horizon)

    def made(name: str, log: bool, candidates: Sequence[Candidate]) -> Configuration:
        fitting = tuple(c for c in dict.fromkeys(candidates) if c.needs + horizon <= room) or (Last(),)
        reaches = [min(room, c.needs + horizon + (N_RECENT - 1) * spacing) for c in fitting]
        context = max(lookback, *reaches)
        return Configuration(name, fitting, log, family.season, lookback, patch, context, spacing)

    simple = _simple(family, patch)
    rich = [*simple, *_richer(family, length, horizon)]
    theta = [*simple[:1], *_thetas(family, room - horizon)]
    found = [made("simple", positive, simple), made("rich", positive, rich), made("theta", positive, theta)]
    if positive:
        found += [made("raw simple", False, simple), made("raw theta", False, theta)]
    return found


def _sizes(family: Family, length: int, horizon: int) -> tuple[int, int]:
    """The lengths of a patch and of the lookback.

    A patch is a season, or an equal piece of a long one; without a season to measure by, what suits the horizon. The
    lookback is two of the longest season, as far as MAX_PATCHES and the history allow.
    """
    if not family.seasons:
        patch = max(1, horizon // 4)
        return patch, patch * max(MIN_PATCHES, min(-(-2 * horizon // patch), length // 4 // patch))
    season, shortest = family.season, family.seasons[0]
    if season > 1:
        patch = -(-season // -(-season // MAX_PATCH))
    elif shortest <= SHORT_PATCH:
        patch = shortest
    else:
        patch = -(-shortest // 4) if shortest <= 4 * MAX_PATCH else max(1, horizon // 4)
    wanted = max(MIN_PATCHES, -(-2 * family.seasons[-1] // patch))
    patches = min(MAX_PATCHES, wanted, max(MIN_PATCHES, length // 2 // patch))
    if season > 1:
        patches = max(patches, -(-2 * season // patch))
    return patch, patch * patches


def _simple(family: Family, patch: int) -> list[Candidate]:
    if not family.seasons:
        return [Last(), Theta(1, 10, 0.3, 0.0)]
    longest = family.seasons[-1]
    if family.season > 1:
        return [*(SeasonMean(s) for s in family.seasons), SeasonMean(longest, 2), SeasonMean(longest, 3)]
    return [Last(), SeasonMean(family.seasons[0]), SeasonShift(longest, 1), SeasonShift(longest, patch)]


def _richer(family: Family, length: int, horizon: int) -> list[Candidate]:
    if family.season > 1:
        return [SeasonShift(family.seasons[-1], family.season), Last()]
    return [Theta(1, 10, 0.3, 0.0), Theta(1, max(3, min(4 * horizon, length // 3)), 0.999)]


def _thetas(family: Family, room: int) -> list[Candidate]:
    """Smoothing with a trend, slow to quick, over whole seasons as far as there is room."""
    season = family.seasons[0] if family.seasons else 1
    if room < 2 * season or season > LONGEST_SEASON:
        season = 1
    span = season * min(room // season, max(4, THETA_SPAN // season))
    return [Theta(season, span, alpha) for alpha in SMOOTHINGS] if span >= 3 else []
