"""What steps do, by what comes out of small workflows."""

import json
from typing import Any

import pytest
from tests.unit.workflows.world import World, answer

from gpupipe.workflows.errors import ExecutionFailed, SourceError
from gpupipe.workflows.program import load


def steps(text: str) -> str:
    """A `main` with these steps, which are written from the left margin."""
    return "main:\n  params: [args]\n  steps:\n" + "\n".join(
        f"    {line}" for line in text.splitlines()
    )


def run(text: str, argument: Any = None, world: World | None = None) -> Any:
    return (world or World()).run(steps(text), argument)


def test_assignments_copy_and_see_what_came_before() -> None:
    text = """- a: {assign: [x: {n: [1, 2]}, y: "${x}", "y.n[0]": 9, y.more: "${y.n[0] + 1}"]}
- b: {return: "${[x, y]}"}"""
    assert run(text) == [{"n": [1, 2]}, {"n": [9, 2], "more": 10}]


def test_switch_takes_the_first_that_is_true_and_jumps() -> None:
    text = """- decide:
    switch:
      - condition: ${args > 10}
        next: large
      - condition: true
        return: small
- large: {return: large}"""
    assert (run(text, 11), run(text, 1)) == ("large", "small")


def test_loops_break_continue_and_keep_their_variables_to_themselves() -> None:
    text = """- begin: {assign: [found: []]}
- each:
    for:
      value: one
      index: at
      in: [a, b, c, d]
      steps:
        - skip: {switch: [{condition: '${one == "b"}', next: continue}]}
        - stop: {switch: [{condition: "${at == 3}", next: break}]}
        - add: {assign: [found: "${list.concat(found, one)}"]}
- done: {return: "${found}"}"""
    assert run(text) == ["a", "c"]
    with pytest.raises(SourceError, match="'one' is neither"):
        load(steps(text.replace('"${found}"', '"${one}"')))


@pytest.mark.parametrize(
    ("bounds", "expected"), [("[1, 3]", [1, 2, 3]), ("[3, 1]", []), ("[1.5, 3]", [1.5, 2.5])]
)
def test_ranges_include_both_ends(bounds: str, expected: list[float]) -> None:
    text = f"""- begin: {{assign: [found: []]}}
- each:
    for: {{value: n, range: {bounds}, steps: [{{a: {{assign: [found: "${{list.concat(found, n)}}"]}}}}]}}
- done: {{return: "${{found}}"}}"""
    assert run(text) == expected


RETRIED = """- send:
    try: {call: http.get, args: {url: "http://x/"}, result: got}
    retry:
      predicate: ${http.default_retry_predicate}
      max_retries: 3
      backoff: {initial_delay: 1, max_delay: 3, multiplier: 2}
    except:
      as: e
      steps: [{tell: {return: "${e.code}"}}]
- done: {return: "${got.body}"}"""


def test_a_retry_waits_longer_each_time_and_no_longer_than_the_most() -> None:
    world = World(lambda _: answer(503, {}))
    assert run(RETRIED, world=world) == 503
    assert world.slept == [1, 2, 3]


def test_a_retry_ends_with_success_and_does_not_touch_other_errors() -> None:
    answers = [answer(503, {}), answer(200, "fine")]
    world = World(lambda _: answers.pop(0))
    assert run(RETRIED, world=world) == "fine"
    refused = World(lambda _: answer(403, {}))
    assert run(RETRIED, world=refused) == 403
    assert refused.slept == []


def test_an_error_says_where_it_came_through() -> None:
    source = """main:
  steps:
    - outer: {call: inner}
inner:
  steps:
    - boom: {raise: {message: broken, code: 7}}
"""
    with pytest.raises(ExecutionFailed) as caught:
        World().run(source)
    assert json.loads(caught.value.payload) == {"message": "broken", "code": 7}
    assert [(one.step, one.routine, one.line) for one in caught.value.stack_trace] == [
        ("boom", "inner", 6),
        ("outer", "main", 3),
    ]


PARALLEL = """- begin: {assign: [total: 0]}
- all:
    parallel:
      shared: [total]
      for:
        value: n
        range: [1, 30]
        steps:
          - check: {switch: [{condition: "${n == args}", raise: bad}]}
          - add: {assign: [total: "${total + n}"]}
- done: {return: "${total}"}"""


def test_parallel_iterations_share_what_is_shared() -> None:
    assert run(PARALLEL, 0) == sum(range(31))


def test_a_branch_that_fails_stops_no_other_and_is_told_with_its_number() -> None:
    with pytest.raises(ExecutionFailed) as caught:
        run(PARALLEL, 5)
    error = json.loads(caught.value.payload)
    assert error["tags"] == ["UnhandledBranchError", "RuntimeError"]
    assert [(one["id"], one["error"]["payload"]) for one in error["branches"]] == [("4", "bad")]


def test_writing_what_is_not_shared_is_refused_when_it_is_loaded() -> None:
    with pytest.raises(SourceError, match="not shared"):
        load(steps(PARALLEL.replace("shared: [total]", "concurrency_limit: 2")))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a: {next: a}", "steps were executed"),
        (
            '- a: {assign: [x: "0123456789"]}\n- b: {assign: [x: "${x + x}"]}\n- c: {next: b}',
            "bytes",
        ),
    ],
)
def test_a_used_up_limit_ends_the_execution_and_cannot_be_caught(text: str, words: str) -> None:
    caught_inside = "- t:\n    try:\n      steps:\n" + "\n".join(
        f"        {line}" for line in text.splitlines()
    )
    for source in (text, caught_inside + "\n    except: {as: e, steps: [{n: {return: no}}]}"):
        with pytest.raises(ExecutionFailed, match="ResourceLimitError") as caught:
            run(source)
        assert words in caught.value.payload


def test_calls_are_nested_so_deep_and_no_deeper() -> None:
    source = """main: {params: [n], steps: [{go: {return: "${down(n)}"}}]}
down:
  params: [n]
  steps:
    - last: {switch: [{condition: "${n == 0}", return: bottom}]}
    - on: {return: "${down(n - 1)}"}
"""
    assert World().run(source, 10) == "bottom"
    with pytest.raises(ExecutionFailed, match="RecursionError"):
        World().run(source, 40)


class Crowd(World):
    """Counts who sleeps at the same time."""

    now_asleep = 0
    most_asleep = 0

    async def sleep(self, seconds: float) -> None:
        self.now_asleep += 1
        self.most_asleep = max(self.most_asleep, self.now_asleep)
        await super().sleep(seconds)
        await super().sleep(seconds)
        self.now_asleep -= 1


NESTED = """- all:
    parallel:
      for:
        value: n
        range: [1, 25]
        steps:
          - below:
              parallel:
                for:
                  value: m
                  range: [1, 25]
                  steps: [{nap: {call: sys.sleep, args: {seconds: 1}}}]"""


@pytest.mark.parametrize(("limit", "most"), [("", 20), ("concurrency_limit: 3", 20)])
def test_an_execution_runs_twenty_branches_at_once_in_all(limit: str, most: int) -> None:
    world = Crowd()
    run(NESTED.replace("parallel:\n      for", f"parallel:\n      {limit}\n      for"), world=world)
    assert (world.most_asleep, len(world.slept)) == (most, 2 * 25 * 25)


def test_a_limit_of_one_step_holds_its_own_branches_back() -> None:
    world = Crowd()
    run(NESTED.replace("                for", "                concurrency_limit: 1\n                for")
        .replace("      for:\n        value: n", "      concurrency_limit: 3\n      for:\n        value: n"),
        world=world)  # fmt: skip
    assert world.most_asleep == 3


def test_a_source_with_thousands_of_faults_is_refused_in_a_few_lines() -> None:
    with pytest.raises(SourceError) as caught:
        load("[" + "a," * 5000 + "{b: {return: 1}}]")
    lines = str(caught.value).splitlines()
    assert len(caught.value.faults) == 5000
    assert lines[0] == "line 1, column 2: a step is a map with one key, its name"
    assert lines[-1] == f"and {5000 - len(lines) + 1} more"
    assert len(str(caught.value)) < 2100
