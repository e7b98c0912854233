"""The command `rollcast run`: the daemon."""

import os
from typing import Annotated

import typer

from service import daemon
from service.commands.terminal import Config, settings_of
from service.daemon import utc_now


def command(
    config: Config = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Take the configuration anew whenever its file changes, as SIGHUP does.")
    ] = False,
) -> None:
    """Run the daemon in the foreground, until Ctrl-C.

    At SIGHUP it takes the configuration anew; where that is wrong it says why, and keeps the last good one.
    """
    daemon.run(settings_of(config), utc_now, load=lambda: settings_of(config), environ=os.environ, watch=watch)
