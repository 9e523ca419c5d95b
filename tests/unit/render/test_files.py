"""What became of files, for people and for programs."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from gpupipe.cloud.storage import Object
from gpupipe.deploy.follow import Outcome, Sent
from gpupipe.deploy.uploads import Refused
from gpupipe.render.files import files_json, print_files, print_sending

NAME = "mails/ü [x] " + "long" * 20 + ".txt"
SENT = Sent(f"here/{NAME}", Object("in", NAME, 17, 1, None), 0.25)
SECONDS = {"upload": 0.25, "queue": 0.1, "preprocess": 0.2, "inference": 0.03, "postprocess": 0.04}
GOOD = Outcome(
    SENT, "succeeded", "positive", 0.9876, SECONDS, result_object=f"results/{NAME}.17.json"
)
BAD = Outcome(
    SENT, "failed", seconds={"upload": 0.25}, error_object="errors/b", error_class="input",
    reason="not [text]",
)  # fmt: skip
LATE = Outcome(SENT, "waiting", seconds={"upload": 0.25}, reason="no result after 5 s: it runs")


def printed(*outcomes: Outcome, width: int = 80) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    print_files(console, "out-bucket", outcomes)
    return out.getvalue().splitlines()


def test_where_nothing_was_sent_there_are_no_columns() -> None:
    assert printed() == ["There was nothing to send."]


@pytest.mark.parametrize("width", [80, 120])
def test_a_result_has_a_row_and_an_address_that_can_be_copied(width: int) -> None:
    head, row, place, _, count = printed(GOOD, width=width)
    assert head.split() == ["score", "upload", "queue", "pre", "infer", "post", "file"]
    assert row.startswith("positive  0.988  0.25 s  0.10 s  0.20 s  0.03 s  0.04 s  ")
    assert row.endswith(NAME)
    assert place == f"  gs://out-bucket/results/{NAME}.17.json"
    assert count == "1 succeeded."


def test_a_failed_file_shows_its_class_its_reason_and_its_record() -> None:
    lines = printed(BAD, GOOD)
    assert lines[2:4] == ["  input: not [text]", "  gs://out-bucket/errors/b"]
    assert lines[-1] == "1 failed; 1 succeeded."


def test_a_file_that_is_not_done_says_so_and_what_to_type() -> None:
    lines = printed(LATE)
    assert lines[2] == "  no result after 5 s: it runs"
    assert lines[-2] == "1 waiting."
    assert "gpupipe status" in lines[-1]


def test_what_is_left_out_is_said() -> None:
    out = io.StringIO()
    left_out = (Refused(Path("b[x].exe"), "no [kind]"),)
    print_sending(Console(file=out, width=80), "in-bucket", 1, left_out)
    assert out.getvalue().splitlines() == [
        "Left out b[x].exe: no [kind]",
        "Sending 1 file to gs://in-bucket",
    ]


def test_the_shape_for_programs() -> None:
    found = files_json("out-bucket", [GOOD, BAD], [Refused(Path("b.exe"), "kind")])
    assert found == {
        "schema": "gpupipe.test-upload/1",
        "output_bucket": "out-bucket",
        "files": [
            {
                "file": f"here/{NAME}", "object": NAME, "generation": "17", "state": "succeeded",
                "label": "positive", "score": 0.9876, "seconds": SECONDS,
                "result_object": f"results/{NAME}.17.json", "error_object": "", "class": "",
                "reason": "", "execution": "",
            },
            {
                "file": f"here/{NAME}", "object": NAME, "generation": "17", "state": "failed",
                "label": "", "score": None, "seconds": {"upload": 0.25}, "result_object": "",
                "error_object": "errors/b", "class": "input", "reason": "not [text]",
                "execution": "",
            },
        ],
        "skipped": [{"file": "b.exe", "reason": "kind"}],
    }  # fmt: skip
