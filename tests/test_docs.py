"""The documents tell the truth: their code runs, and what they quote is in the source."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "rnn.md").read_text()
SOURCE = {line.strip() for path in (ROOT / "models").glob("*.py") for line in path.read_text().splitlines()}


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)


def test_the_code_in_the_text_runs_from_top_to_bottom(tmp_path):
    program = tmp_path / "text.py"
    program.write_text("\n".join(blocks("python")))
    names = runpy.run_path(str(program))
    assert names["table"][0.5][2] < names["table"][1.0][2]


@pytest.mark.parametrize("line", [line.strip() for block in blocks("source") for line in block.splitlines()])
def test_a_quoted_line_is_in_the_source(line):
    assert line in SOURCE


LINKS = [
    (path.parent, target)
    for path in (ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").glob("*.md"))
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text())
]


@pytest.mark.parametrize(("folder", "target"), LINKS, ids=[target for _, target in LINKS])
def test_what_a_text_links_to_is_there(folder, target):
    assert target.startswith("https://") or (folder / target).exists()
