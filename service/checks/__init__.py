"""The checks of `rollcast doctor`: each looks at one thing, and says what it found and what to do about it."""

from service.checks.finding import Finding, Level, bad, look, ok

__all__ = ["Finding", "Level", "bad", "look", "ok"]
