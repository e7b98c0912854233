"""The command `rollcast status`: a line a series, once, or on a screen that is drawn again every two seconds."""

import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape

from service import daemon
from service.commands.overview import (
    HEADINGS,
    Overview,
    cells,
    drifts_of,
    look,
    overview,
    plain,
    reasons_of,
)
from service.commands.screen import LONGEST, draw
from service.commands.tables import Table
from service.commands.terminal import (
    AnyPanel,
    Config,
    Json,
    UsageError,
    coloured,
    err,
    out,
    panels_named,
    print_json,
    reading,
    settings_of,
)
from service.daemon import utc_now

EVERY = 2.0  # seconds from one drawing to the next

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Draw it again every 2 s, with sparklines.")]


def command(panel: AnyPanel = None, config: Config = None, json: Json = False, watch: Watch = False) -> None:
    """A line a series: its last value, age, state, next forecast, live error against the naive, next refit."""
    if watch and json:
        raise UsageError("--watch draws on a screen, --json prints once; leave one of them out")
    if watch and not out.is_terminal:
        raise UsageError("--watch draws on a terminal, and standard output is none; leave --watch out")
    settings = settings_of(config)
    panels = panels_named(settings, panel)
    if watch:
        with keys() as wait:
            watch_it(lambda: look(config, panel, LONGEST), Console(highlight=False), wait)
        return
    runs = daemon.is_running(settings.data_dir)
    with reading(settings) as sessions, sessions() as session:
        seen = overview(session, panels, utc_now(), daemon_runs=runs)
    if json:
        print_json({"series": seen.all_series})
        return
    _print(seen)
    if not runs:
        err.print(f"No daemon is running on {settings.data_dir}; rollcast run starts one.")


def watch_it(ask: Callable[[], Overview], console: Console, wait: Callable[[float], object]) -> None:
    """Draw what there is to see, again and again, until q or Ctrl-C; the terminal is then as it was before."""
    signal.signal(signal.SIGQUIT, signal.default_int_handler)  # Ctrl-\\, too, must not leave the screen as it is
    try:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                live.update(draw(ask(), console.width, console.height), refresh=True)
                wait(EVERY)
    except KeyboardInterrupt:
        return


@contextmanager
def keys() -> Iterator[Callable[[float], object]]:
    """A way to wait some seconds, which the key q ends as Ctrl-C does. No key is shown meanwhile."""
    if sys.stdin is None or not sys.stdin.isatty():
        yield time.sleep
        return
    before = termios.tcgetattr(sys.stdin)

    def wait(seconds: float) -> None:
        pressed, _, _ = select.select([sys.stdin], [], [], seconds)
        if pressed and os.read(sys.stdin.fileno(), 1) in (b"q", b"Q", b""):  # nothing: the terminal has gone
            raise KeyboardInterrupt

    try:
        tty.setcbreak(sys.stdin)
        yield wait
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _print(seen: Overview) -> None:
    table = Table(*HEADINGS)
    for panel, found in seen.series.items():
        table.add_row(f"[bold]{panel}[/]")
        for series in found:
            name, value, age, status, *others = map(escape, cells(series, seen.now))
            table.add_row(f"  {name}", value, age, coloured(status), *others)
    table.print()
    for (word, reason), names in reasons_of(seen).items():
        told = escape(plain(f"{', '.join(names)}: {reason}"))
        out.print(f"{coloured(word)}  {told}")
    for name, reason in drifts_of(seen).items():
        out.print(f"refit  {name}: {escape(plain(reason))}")
