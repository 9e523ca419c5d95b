"""Wrong values of every option, from the file, the environment and the command line: a clear error.

Never a traceback, never a request: `load` imports no client, so nothing could be sent.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gpupipe.core.config import Config, load_text
from gpupipe.core.errors import Exit, UsageError
from gpupipe.core.flags import Flags
from gpupipe.core.option_table import options, schema, typed
from gpupipe.core.options import Options
from gpupipe.core.toml_file import toml

FILE = Path("gpupipe.toml")
PATHS = sorted(options())
# A small alphabet: building that of all of Unicode costs a run half a minute.
PLAIN = st.text("aZ09 _-./:=,@\"'\\#[]{}\t\n\u00e9\u65e5\U0001f600\x07\ufeff", max_size=30)
VALUES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=True),
    st.booleans(),
    PLAIN,
    st.sampled_from(
        ["", "0", "-1", "16GB", "1e3", "us-central1-a", "projects/x", "nvidia-t4", "9" * 40]
    ),
    st.lists(st.integers(0, 9), max_size=2),
    st.dictionaries(st.sampled_from(["a", "B", "gpupipe-x", "a b"]), PLAIN, max_size=2),
)


def line_of(path: str, value: Any) -> str:
    table, _, key = path.rpartition(".")
    written = f"{value!r}".replace("e+", "e") if isinstance(value, float) else toml(value)
    return f"{f'[{table}]' if table else ''}\n{key} = {written}\n"


NO_FLAGS = Flags()


def loaded(
    text: str, environment: dict[str, str] | None = None, flags: Flags = NO_FLAGS
) -> Config | UsageError:
    try:
        return load_text(text, FILE, flags, environment or {})
    except UsageError as error:
        found = error
    assert found.exit is Exit.USAGE
    assert found.resolution
    return found


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(path=st.sampled_from(PATHS), value=VALUES)
def test_any_value_in_the_file_is_taken_as_it_is_or_refused_with_its_place(
    path: str, value: Any
) -> None:
    text = line_of(path, value)
    try:
        read: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assert isinstance(loaded(text), UsageError)
        return
    for part in path.split("."):
        read = read[part]
    found = loaded(text)
    if isinstance(found, UsageError):
        told = found.details or ""
        table = path.rpartition(".")[0]
        assert told.startswith(("gpupipe.toml:1: ", "gpupipe.toml:2: ")), told
        assert path in told or (table and f"{table}: " in told), told
    else:
        kept = found.value(path)
        assert kept == (str(read) if path.endswith(".cpu") else read)
        assert type(kept) is not bool or isinstance(read, bool)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(path=st.sampled_from(PATHS), text=PLAIN.filter(bool))
def test_any_text_of_a_variable_or_a_flag_is_taken_or_refused_by_its_name(
    path: str, text: str
) -> None:
    variable = options()[path].variables[0]
    for found, name in (
        (loaded("", {variable: text}), variable),
        (loaded("", flags=Flags(settings=(f"{path}={text}",))), f"--set {path}"),
    ):
        if isinstance(found, UsageError):
            assert name in f"{found.brief} {found.details}"
        else:
            assert found.value(path) == typed(options()[path], text)


@settings(max_examples=100, deadline=None)
@given(text=st.text("abgp_u=[]{}.\"'\n#0123456789 -tre", max_size=60) | PLAIN)
def test_any_text_is_a_file_that_is_read_or_refused(text: str) -> None:
    loaded(text)


@settings(max_examples=60, deadline=None)
@given(
    values=st.dictionaries(
        st.sampled_from(["preprocess", "gpu_inference", "buckets", "labels", "vpc", "regoin"]),
        VALUES
        | st.dictionaries(st.sampled_from(["cpu", "name", "input", "x"]), VALUES, max_size=2),
    )
)
def test_tables_in_the_place_of_values_and_values_in_the_place_of_tables(values: Any) -> None:
    loaded("".join(f"{key} = {toml(value)}\n" for key, value in values.items()))


def test_the_schema_takes_what_the_checks_take() -> None:
    """The defaults of every option, and the document itself, are in order."""
    document = schema()
    assert json.loads(json.dumps(document)) == document
    assert set(document["properties"]) == set(Options.model_fields)
    with pytest.raises(ValidationError):
        Options.model_validate({"no-such": 1})
    Options.model_validate({})


def test_a_wrong_value_starts_nothing(tmp_path: Path) -> None:
    """No daemon, no client: the command ends before it looks for a target."""
    (tmp_path / "gpupipe.toml").write_text("queue_wait = 1\n")
    done = subprocess.run(
        [Path(sys.executable).with_name("gpupipe"), "deploy", "--output", "json"],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "GPUPIPE_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == Exit.USAGE
    error = json.loads(done.stdout)["error"]
    assert error["details"].startswith("gpupipe.toml:1: queue_wait = 1: it takes")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "home" / "local").exists()
