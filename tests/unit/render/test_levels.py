"""What is done, what to look at and what went wrong have colours of their own, on a terminal only."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.action import Action, Verb
from gpupipe.deploy.destroy import Removal
from gpupipe.deploy.executor import Outcome
from gpupipe.deploy.leftovers import Leftover
from gpupipe.deploy.phase import Phase
from gpupipe.deploy.preflight.finding import Finding, Level
from gpupipe.render.destroy import print_destroyed
from gpupipe.render.findings import print_findings
from gpupipe.render.plan import Shown, print_plan
from gpupipe.render.summary import print_failure

ACTION = Action("a", Phase.FOUNDATIONS, "bucket", "b", Verb.CREATE, "it does not exist")
NO = GpupipeError("It failed.", resolution="Do.", doc="reference/errors.md")
GREEN, YELLOW, RED = "\x1b[1;32m", "\x1b[33m", "\x1b[1;31m"


def destroyed(console: Console, *left: Leftover) -> None:
    print_destroyed(console, Removal((), ()), Outcome(), dict.fromkeys(left, "rm"), {}, 62.0)


def found(console: Console, level: Level) -> None:
    print_findings(console, [Finding("quota", level, "so it is")])


CASES: list[tuple[str, Callable[[Console], None]]] = [
    (f"{GREEN}Nothing is left", destroyed),
    (f"{RED}Still there: 1", lambda console: destroyed(console, Leftover("bucket", "b"))),
    (f"{YELLOW}Note: look", lambda console: print_plan(console, Shown((ACTION,), ("look",)))),
    ("\x1b[32mcreate", lambda console: print_plan(console, Shown((ACTION,), ()))),
    (f"{RED}Not finished", lambda console: print_failure(console, Outcome(errors=[(ACTION, NO)]))),
    ("\x1b[32mok", lambda console: found(console, Level.OK)),
    (f"{YELLOW}warning", lambda console: found(console, Level.WARNING)),
    (f"{RED}blocker", lambda console: found(console, Level.BLOCKER)),
]


@pytest.mark.promise("S27")
@pytest.mark.parametrize(
    ("words", "show"), CASES, ids=[words.partition("m")[2] for words, _ in CASES]
)
def test_a_level_has_its_colour_on_a_terminal_and_none_elsewhere(
    words: str, show: Callable[[Console], None]
) -> None:
    for terminal in (True, False):
        out = io.StringIO()
        show(Console(file=out, width=120, force_terminal=terminal, _environ={"TERM": "xterm"}))
        assert (words in out.getvalue()) is terminal
        assert ("\x1b" in out.getvalue()) is terminal
        assert words.partition("m")[2] in out.getvalue()
