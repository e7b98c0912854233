"""What another configuration changes about the panels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from jobs.panel import Panel


@dataclass(frozen=True)
class Changes:
    """The names of the panels that came, went, and have other settings."""

    added: Sequence[str]
    removed: Sequence[str]
    changed: Sequence[str]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def __str__(self) -> str:
        named = {"new": self.added, "gone": self.removed, "changed": self.changed}
        return "; ".join(f"{word}: {', '.join(names)}" for word, names in named.items() if names) or "no panel changed"


def changed(before: Mapping[str, Panel], panels: Sequence[Panel]) -> tuple[dict[str, Panel], Changes]:
    """The panels to go on with, by name, and what is different about them. One that is as it was stays the same
    object.
    """
    after = {panel.name: _going_on(before.get(panel.name), panel) for panel in panels}
    changes = Changes(
        added=[name for name in after if name not in before],
        removed=[name for name in before if name not in after],
        changed=[name for name, panel in after.items() if name in before and panel is not before[name]],
    )
    return after, changes


def _going_on(before: Panel | None, after: Panel) -> Panel:
    """The panel with the source that it has, where that has the same options: it may hold a connection."""
    if before is None or before.source != after.source:
        return after
    same = replace(after, source=before.source)
    return before if before == same else same
