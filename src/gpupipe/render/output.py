"""How an answer is written. Kept apart from Rich, so that `--help` need not import it."""

from enum import StrEnum


class Output(StrEnum):
    """The form of the answer on stdout."""

    TEXT = "text"
    JSON = "json"


class StatusOutput(StrEnum):
    """The same of `status`, whose answer can also be lines for a shell."""

    TEXT = "text"
    JSON = "json"
    ENV = "env"
