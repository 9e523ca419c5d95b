"""An error in its parts, for people on stderr and for programs on stdout."""

import json

import pytest

from gpupipe.core.errors import CredentialsError, Exit, GpupipeError, UsageError
from gpupipe.render.errors import lines, print_error

ERROR = GpupipeError(
    "Creating the bucket failed: the permission is missing.",
    resource="buckets/b",
    details="PERMISSION_DENIED: storage.buckets.create\n[markup] stays",
    resolution="Ask for a role.",
    doc="reference/errors.md#permission",
    exit=Exit.CREDENTIALS,
)


def test_the_lines_for_people() -> None:
    assert lines(ERROR) == [
        "Error: Creating the bucket failed: the permission is missing.",
        "  Resource: buckets/b",
        "  PERMISSION_DENIED: storage.buckets.create",
        "  [markup] stays",
        "  Next: Ask for a role.",
        "  Read: docs/reference/errors.md#permission",
    ]


def test_a_resource_that_the_sentence_names_is_not_told_twice() -> None:
    error = UsageError("The file x.toml is not valid.", resource="x.toml", resolution="Mend it.")
    assert not any(line.startswith("  Resource") for line in lines(error))


def test_people_read_it_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(ERROR, as_json=False)
    out, err = capsys.readouterr()
    assert (out, err.splitlines()) == ("", lines(ERROR))


def test_programs_read_it_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(ERROR, as_json=True)
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == {
        "schema": "gpupipe.error/1",
        "error": {
            "brief": ERROR.brief,
            "resource": "buckets/b",
            "details": ERROR.details,
            "resolution": "Ask for a role.",
            "doc": "reference/errors.md#permission",
            "exit_code": 4,
        },
    }


@pytest.mark.parametrize(
    ("kind", "exit_code"), [(UsageError, Exit.USAGE), (CredentialsError, Exit.CREDENTIALS)]
)
def test_each_kind_of_error_has_its_exit_code(
    kind: type[UsageError] | type[CredentialsError], exit_code: Exit
) -> None:
    error = kind("What.", resolution="Do.")
    assert error.exit is exit_code
    assert error.doc.startswith("reference/")
