"""The command line: which commands there are, and what becomes of their failures. What they do: `service.commands`.

Answers go to standard output; logs, progress and complaints to standard error.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from itertools import chain

import typer

from service.commands.completion import VARIABLE
from service.commands.lazy import Entry, Group, assemble

DONE, FAILED, MISUSED, INTERRUPTED, READER_GONE = 0, 1, 2, 130, 141
EXIT_CODES = (
    "Exit codes: 0 done; 1 a job failed, or doctor found something bad; 2 the call or the configuration is wrong;"
    " 130 ended by Ctrl-C or SIGTERM, at which run ends with 0; 141 the reader of a pipe went away."
)

COMMANDS: dict[str, tuple[Entry | Group, ...]] = {
    "Set up": (
        Entry(
            "init",
            "setup.init",
            "Write a commented configuration file to start from, and the sample data that it uses.",
            ("rollcast init", "rollcast init /etc/rollcast"),
        ),
        Entry(
            "check",
            "setup.check",
            "Validate the configuration and tell what would run when.",
            ("rollcast check", "rollcast check --config other.toml"),
        ),
        Entry(
            "sources",
            "sources.command",
            "The sources that a panel can name, with their options.",
            ("rollcast sources", "rollcast sources --json | jq '.sources[].type'"),
        ),
        Entry(
            "completion",
            "completion.command",
            "Print the script that lets a shell complete commands, options, panels and series.",
            (
                "rollcast completion bash >> ~/.bashrc",
                "rollcast completion zsh >> ~/.zshrc",
                "rollcast completion fish >> ~/.config/fish/config.fish",
            ),
        ),
    ),
    "The daemon": (
        Entry(
            "run",
            "run.command",
            "Run the daemon in the foreground, until Ctrl-C.",
            ("rollcast run", "rollcast run --watch", "ROLLCAST_API__PORT=9000 rollcast run --config other.toml"),
        ),
        Entry(
            "doctor",
            "doctor.command",
            "Find the usual troubles and say the cure: a line a check.",
            ("rollcast doctor", "rollcast doctor --offline"),
        ),
    ),
    "Look": (
        Entry(
            "status",
            "status.command",
            "A line a series: its last value, age, state, next forecast, live error against the naive, next refit.",
            ("rollcast status", "rollcast status oil --watch", "rollcast status --json"),
            names="panels",
        ),
        Entry(
            "latest",
            "latest.command",
            "The latest forecast of a series.",
            ("rollcast latest WTI", "rollcast latest WTI --csv > wti.csv"),
            names="series",
        ),
        Entry(
            "scores",
            "scores.command",
            "How the forecasts of a series did, step by step: of targets in the last 7 days, the last 30, and all.",
            ("rollcast scores WTI", "rollcast scores WTI --window 30d --json"),
            names="series",
        ),
        Entry(
            "plot",
            "plot.command",
            "Draw a series: its history, forecast fan, and past forecasts laid over what happened.",
            ("rollcast plot WTI", "rollcast plot nyc-taxi --out taxi.svg --last 7d"),
            names="series",
        ),
        Entry(
            "export",
            "export.command",
            "Write observations, forecasts or scores as a table: .csv, .csv.gz, .parquet, or CSV to standard output.",
            (
                "rollcast export --what observations --out all.parquet",
                "rollcast export WTI --what forecasts --start 2019-01-01 | head",
                "rollcast export --panel taxi --what scores --out scores.csv.gz",
            ),
            names="series",
        ),
    ),
    "Do it now": (
        Entry(
            "fetch",
            "jobs.fetch",
            "Fetch now, in this process; harmless beside a running daemon.",
            ("rollcast fetch", "rollcast fetch oil --dry-run"),
            names="panels",
        ),
        Entry(
            "refit",
            "jobs.refit",
            "Refit now, in this process; harmless beside a running daemon.",
            ("rollcast refit", "rollcast refit oil"),
            names="panels",
        ),
        Entry(
            "forecast",
            "jobs.forecast",
            "Issue the forecasts that the newest observations allow, if they were not issued before.",
            ("rollcast forecast", "rollcast forecast oil"),
            names="panels",
        ),
        Entry(
            "backtest",
            "backtest.command",
            "Replay history: forecast at past cutoffs as live would have done, and score it as M4 does.",
            (
                "rollcast backtest samples/nyc_taxi_30min.csv --horizon 48 --cutoffs 10 --stride 24",
                "rollcast backtest samples/wti_daily.csv --interval B --season 5 --horizon 5 --json",
                "rollcast backtest --panel taxi --cutoffs 100",
            ),
        ),
    ),
    "Models and runs": (
        Group(
            "models",
            "The versions of a panel's model: list them, show one, let another serve.",
            (
                Entry(
                    "list",
                    "models.list_models",
                    "The versions of a panel's model: which serves, served, or waits, and what the gate said.",
                    ("rollcast models list oil", "rollcast models list oil --json"),
                    names="panels",
                ),
                Entry(
                    "show",
                    "models.show",
                    "All that is known of a version: by default of the one that serves, or else the newest.",
                    ("rollcast models show oil", "rollcast models show oil 1 --json"),
                    names="panels",
                ),
                Entry(
                    "promote",
                    "models.promote",
                    "Let a version of a panel's model serve; a running daemon forecasts with it at once.",
                    ("rollcast models promote oil", "rollcast models promote oil 1"),
                    names="panels",
                ),
                Entry(
                    "rollback",
                    "models.rollback",
                    "Let the model serve again that served before; a running daemon forecasts with it at once.",
                    ("rollcast models rollback oil",),
                    names="panels",
                ),
            ),
        ),
        Group(
            "runs",
            "The runs of the jobs: list them, show one.",
            (
                Entry(
                    "list",
                    "runs.list_runs",
                    "The newest runs of the jobs, newest first: how each ended, and why.",
                    (
                        "rollcast runs list",
                        "rollcast runs list --panel oil --job refit --limit 5",
                        "rollcast runs list --outcome failed --json",
                    ),
                ),
                Entry("show", "runs.show", "All that is known of one run.", ("rollcast runs show 1",)),
            ),
        ),
    ),
    "The database": (
        Group(
            "db",
            "The database: bring it up to date, copy it, make it smaller.",
            (
                Entry(
                    "upgrade",
                    "database.upgrade",
                    "Bring the tables up to date with this version; the daemon does so at its start.",
                    ("rollcast db upgrade",),
                ),
                Entry(
                    "backup",
                    "database.backup",
                    "Write a checked copy of the database to a file, beside a running daemon too.",
                    ("rollcast db backup /backups/rollcast.db", "rollcast db backup rollcast.db.bak --force"),
                ),
                Entry(
                    "prune",
                    "database.prune",
                    "Forget now what the configuration does not keep, as the daemon does every hour.",
                    ("rollcast db prune --dry-run", "rollcast db prune oil"),
                    names="panels",
                ),
                Entry(
                    "vacuum",
                    "database.vacuum",
                    "Give the disk back what forgetting has freed; no daemon may run meanwhile.",
                    ("rollcast db vacuum",),
                ),
            ),
        ),
    ),
}

app = assemble(COMMANDS, help="A forecasting daemon that keeps score of itself.", epilog=EXIT_CODES)


def main() -> None:
    """Run the command line and end the process; what the user can mend is told in one line."""
    if VARIABLE in os.environ:  # a shell asks what could stand here
        complete()
    sys.exit(run(sys.argv[1:]))


def complete() -> None:
    """Answer a shell, and end the process."""
    from typer._completion_classes import completion_init

    completion_init()
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):  # a prompt is no place to complain
        app.main(prog_name="rollcast", complete_var=VARIABLE)


def run(words: Sequence[str]) -> int:
    """Run a command. Returns the exit code."""
    try:
        try:
            with app.make_context("rollcast", list(words)) as context:
                app.invoke(context)
        finally:
            sys.stdout.flush()  # here, where it can be told that the reader has gone
    except typer.Exit as ended:
        return ended.exit_code
    except KeyboardInterrupt:
        return _told("ended by Ctrl-C or SIGTERM", INTERRUPTED)
    except SystemExit:  # rich's, where it prints a help and the reader has gone
        return READER_GONE
    except BrokenPipeError:
        _leave_stdout()
        return READER_GONE
    except typer.TyperException as error:
        return _misused(error)
    except OSError as error:
        return _told(_refused(error), MISUSED)
    except Exception as error:
        if not _is_mendable(error):
            raise
        return _told(str(error), MISUSED)
    return DONE


def _leave_stdout() -> None:
    """Let go of what could not be written there: Python would try once more as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refused(error: OSError) -> str:
    """What the system refused, and what to do; of a copy the file that was to be written."""
    from service.complaints import is_full, unwritable

    path = error.filename2 or error.filename
    if path is not None:
        return unwritable(path, error)
    if not is_full(error):
        return str(error)
    _leave_stdout()  # it may be that which takes no more
    return unwritable("what it has to say", error)


def _misused(error: typer.TyperException) -> int:
    """What is wrong with the words of a call, and where it says what would be right."""
    message = error.format_message().rstrip(".").replace(": Value error, ", ": ").replace(": Input", ": it")
    if not message:  # a group without a command: its help has been printed
        return MISUSED
    context: typer.Context | None = getattr(error, "ctx", None)
    path = "rollcast" if context is None else context.command_path
    ended = " " if message.endswith("?") else "; "
    meant = " and ".join(_grouped(message))
    hint = f"there is {meant}" if meant else f"{path} --help tells what there is"
    return _told(f"{message[0].lower()}{message[1:]}{ended}{hint}", MISUSED)


def _grouped(message: str) -> list[str]:
    """The commands of groups whose second word was taken for a command."""
    return [
        f"rollcast {group.name} {entry.name}"
        for group in chain.from_iterable(COMMANDS.values())
        if isinstance(group, Group)
        for entry in group.entries
        if message.startswith(f"No such command {entry.name!r}")
    ]


def _is_mendable(error: Exception) -> bool:
    """Whether it is no fault of ours: the message says what to do."""
    # What a failed command has raised is imported already; one that went well need not pay for it.
    from db.engine import DatabaseUnusableError
    from service.commands.terminal import UsageError
    from service.complaints import SettingsError
    from service.daemon import StartError

    return isinstance(error, SettingsError | DatabaseUnusableError | StartError | UsageError)


def _told(message: str, code: int) -> int:
    """Tell in one line, however wide."""
    sys.stderr.write(f"rollcast: {' '.join(message.split())}\n")
    return code
