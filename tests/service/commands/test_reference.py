"""Every command tells what it does and how it is called, the same in its help, in the list and in the document."""

import re
import shlex

import pytest

from service import cli
from service.commands import reference

COMMANDS = dict(reference.commands())
PIPED = ("|", ">", ">>")


@pytest.fixture(params=COMMANDS, ids=lambda path: path)
def command(request):
    return COMMANDS[request.param]


def test_all_commands_of_the_command_line_are_there():
    one = "init check run status latest scores fetch refit forecast backtest export plot sources doctor completion"
    of_two = {"models": "list show promote rollback", "runs": "list show", "db": "upgrade vacuum prune backup"}
    assert set(COMMANDS) == {*one.split(), *(f"{group} {name}" for group in of_two for name in of_two[group].split())}


def test_the_list_and_the_command_tell_the_same(command):
    first, *_ = command.real.help.split("\n\n")
    assert " ".join(first.split()).startswith(command.entry.help)


def test_there_is_help_for_each_argument_and_option(command):
    assert all(parameter.help for parameter in command.real.params), command.name


def words_of(example):
    """The words of an example's call, without variables before it and what it is piped into."""
    words = shlex.split(example)
    first = words.index("rollcast")
    ends = [k for k, word in enumerate(words) if word in PIPED]
    return words[first + 1 : min(ends, default=len(words))]


def parse(command, name, words):
    """Let typer take the words apart as a call would; nothing is called. Returns the command that they name."""
    context = command.make_context(name, list(words))
    if not hasattr(command, "commands"):
        return command
    inner, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
    return parse(found, inner, rest)


def test_each_of_its_one_to_three_examples_can_be_called(command):
    assert 1 <= len(command.entry.examples) <= 3
    for example in command.entry.examples:
        assert parse(cli.app, "rollcast", words_of(example)) is command


def test_an_example_that_cannot_be_called_would_be_noticed():
    with pytest.raises(Exception, match="No such option"):
        parse(cli.app, "rollcast", ["latest", "WTI", "--nonsense"])


@pytest.mark.parametrize("path", COMMANDS)
def test_help_ends_with_the_examples(run_command, path, monkeypatch):
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 100)
    code, out, _ = run_command(*path.split(), "--help")
    shown = [line.strip() for line in out.splitlines() if line.strip()]
    examples = COMMANDS[path].entry.examples
    assert code == 0
    assert shown[-1 - len(examples) :] == ["Examples:", *examples]


def test_the_list_is_grouped_and_ends_with_the_exit_codes(run_command):
    code, out, _ = run_command("--help")
    assert code == 0
    assert re.findall(r"─ (The daemon|Look|Do it now|Models and runs|Set up|The database) ─", out) == list(cli.COMMANDS)
    assert "Exit codes: 0 done; 1 a job failed" in out


def test_the_document_is_what_the_commands_say():
    assert reference.DOCUMENT.read_text() == reference.document(), "run python -m service.commands.reference"


def test_every_command_and_option_is_named_in_the_document(command):
    text = reference.document()
    for parameter in command.real.params:
        for name in parameter.opts if parameter.param_type_name == "option" else [parameter.metavar]:
            assert re.search(rf"`{re.escape(name)}[` ]", text), name


def test_a_shell_is_offered_names_for_the_arguments_that_take_them(command):
    metavars = [each.metavar for each in command.real.params if each.param_type_name == "argument"]
    taken = {"PANEL": "panels", "SERIES": "series"}
    assert next((taken[metavar] for metavar in metavars if metavar in taken), None) == command.entry.names
