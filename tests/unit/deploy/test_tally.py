"""Outcomes of many files become a few numbers."""

from gpupipe.cloud.storage import Object
from gpupipe.deploy.follow import Outcome, Sent
from gpupipe.deploy.tally import Tally


def outcome(number: int, state: str = "succeeded", **more: object) -> Outcome:
    sent = Sent(f"f{number}", Object("in", f"f{number}", 7, 1, None), 0.0)
    return Outcome(sent, state, **more)  # type: ignore[arg-type]


def test_states_labels_and_seconds_are_counted() -> None:
    tally = Tally()
    for number in range(100):
        label, score = ("positive", 0.9) if number < 60 else (f"negative (3 of {number})", None)
        tally.add(outcome(number, label=label, score=score, seconds={"upload": number / 100}))
    assert (tally.files, dict(tally.states)) == (100, {"succeeded": 100})
    assert dict(tally.labels) == {"positive": 60, "several items": 40}
    assert {name: (round(a, 2), round(b, 2)) for name, (a, b) in tally.seconds().items()} == {
        "upload": (0.49, 0.94)
    }
    assert tally.well


def test_reasons_are_grouped_with_a_few_examples() -> None:
    tally = Tally()
    for number in range(9):
        tally.add(outcome(number, "failed", error_class="input", reason="it is empty"))
    tally.add(outcome(9, "waiting", reason="no result"))
    first, second = tally.reasons
    assert (first.error_class, first.text, first.count) == ("input", "it is empty", 9)
    assert first.examples == ["f0", "f1", "f2"]
    assert (second.text, second.count) == ("no result", 1)
    assert not tally.well


def test_reasons_that_all_differ_do_not_pile_up() -> None:
    tally = Tally()
    for number in range(1000):
        tally.add(outcome(number, "failed", reason=f"reason {number}"))
    assert len(tally.reasons) == 21
    assert tally.reasons[0].text == "other reasons"
    assert sum(one.count for one in tally.reasons) == 1000


def test_what_was_sent_or_is_superseded_is_well() -> None:
    tally = Tally()
    tally.add(outcome(1, "sent"))
    tally.add(outcome(2, "superseded"))
    assert tally.well
    tally.add(outcome(3, "unsent", reason="gone"))
    assert not tally.well
