"""Names come from strangers: none commands the terminal that it is shown on."""

import json

import pytest
from rich.live import Live

from gpupipe.core.errors import GpupipeError
from gpupipe.render.columns import columns
from gpupipe.render.console import answer, say
from gpupipe.render.errors import print_error
from gpupipe.render.json_output import print_json

HOSTILE = "a\x1b[2J\x9b31m\u202e\x7f\u2028.txt"
SPELLED = r"a\u001b[2J\u009b31m\u202e\u007f\u2028.txt"


def test_lines_and_columns(capsys: pytest.CaptureFixture[str]) -> None:
    console = answer()
    say(console, HOSTILE)
    for line in columns(("name", "size"), [(HOSTILE, "7"), ("plain", "8")]):
        say(console, line)
    with Live(HOSTILE, console=console):
        pass
    first, head, row, plain, live = capsys.readouterr().out.splitlines()
    assert first == live == SPELLED
    assert row == f"{SPELLED}  7"
    assert head.rindex("size") == row.rindex("7") == plain.rindex("8")


def test_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    error = GpupipeError(HOSTILE, resource=f"b{HOSTILE}", resolution=HOSTILE, doc="x")
    print_error(error, as_json=False)
    err = capsys.readouterr().err
    assert err.count(SPELLED) == 3
    assert "\x1b" not in err


def test_json_stays_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"names": [HOSTILE, "grüße"]})
    out = capsys.readouterr().out
    assert "grüße" in out
    assert not set(out) & set("\x1b\x9b\u202e\x7f\u2028")
    assert json.loads(out) == {"names": [HOSTILE, "grüße"]}
