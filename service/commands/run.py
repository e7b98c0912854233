"""The command `rollcast run`: the daemon."""

import os
from typing import Annotated

import typer

from service import daemon
from service.commands.terminal import Config, settings_of
from service.daemon import utc_now
from service.settings import Settings, load


def command(
    config: Config = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Take the configuration anew whenever its file changes, as SIGHUP does.")
    ] = False,
) -> None:
    """Run the daemon in the foreground, until Ctrl-C.

    At SIGHUP it takes the configuration anew; where that is wrong it says why, and keeps the last good one. A SIGHUP
    that comes because its terminal was closed ends it; nohup, or a service manager, keeps it running.
    """
    settings = settings_of(config)

    def load_again() -> Settings:
        return load(settings.file, os.environ)  # not another one, which a new search might find

    daemon.run(settings, utc_now, load=load_again, environ=os.environ, watch=watch)
