"""A plan for people, without a terminal, and for programs."""

import io
from dataclasses import replace

from rich.console import Console

from gpupipe.deploy.action import Action, Change, Verb
from gpupipe.deploy.phase import Phase
from gpupipe.render.plan import Shown, plan_json, print_plan

CREATE = Action(
    "bucket:input", Phase.FOUNDATIONS, "bucket", "b-input", Verb.CREATE, "it does not exist"
)
UPDATE = Action(
    "service:preprocess", Phase.SERVICES, "service", "s", Verb.UPDATE, "it differs: memory",
    (Change("memory", "1Gi", "[bold]2Gi"),),
)  # fmt: skip
KEEP = Action("api", Phase.FOUNDATIONS, "apis", "16 APIs", Verb.KEEP, "it is as it should be")


def printed(*actions: Action, notes: tuple[str, ...] = (), canary: bool = False) -> str:
    out = io.StringIO()
    print_plan(Console(file=out, width=200), Shown(actions, notes, canary))
    return out.getvalue()


def test_what_changes_is_listed_with_its_reason_and_the_rest_is_counted() -> None:
    text = printed(CREATE, UPDATE, KEEP)
    assert "bucket b-input" in text
    assert "it does not exist" in text
    assert "memory: 1Gi -> [bold]2Gi" in text
    assert "16 APIs" not in text
    assert "1 to create, 1 to update; 1 stays as it is." in text


def test_a_plan_without_writes_says_so_in_one_line() -> None:
    assert printed(KEEP) == "Nothing to do: all 1 resources are as they should be.\n"


def test_notes_follow_word_for_word() -> None:
    assert printed(KEEP, notes=("max 10 -> [3]",)).endswith("Note: max 10 -> [3]\n")


def test_drift_is_told_below_what_differs() -> None:
    drifted = replace(UPDATE, drift="last changed by a@example.com")
    assert "        last changed by a@example.com" in printed(drifted)


def test_a_canary_is_told() -> None:
    assert "a canary file proves that a file comes out" in printed(CREATE, canary=True)
    assert plan_json(Shown([CREATE], canary=True))["canary"] is True
    assert plan_json(Shown([CREATE]))["canary"] is False


def test_without_a_terminal_there_are_no_control_characters() -> None:
    assert "\x1b" not in printed(CREATE, UPDATE, KEEP, notes=("note",))


def test_the_shape_for_programs() -> None:
    found = plan_json(Shown([UPDATE, KEEP], ["note"]))
    assert (found["schema"], found["writes"], found["notes"]) == ("gpupipe.plan/1", True, ["note"])
    actions = found["actions"]
    assert isinstance(actions, list)
    assert actions[0] == {
        "step": "service:preprocess",
        "phase": "services",
        "kind": "service",
        "name": "s",
        "verb": "update",
        "reason": "it differs: memory",
        "changes": [{"field": "memory", "old": "1Gi", "new": "[bold]2Gi", "note": ""}],
        "drift": "",
    }
    assert [one["verb"] for one in actions] == ["update", "keep"]
    assert plan_json(Shown([KEEP]))["writes"] is False
