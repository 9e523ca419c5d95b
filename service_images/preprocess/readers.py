"""Which input formats there are and how each becomes items.

Contract: a suffix (in any case) names its format in READERS: a function from the object's bytes to
its texts. Adding a format is adding one line to the table.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath

from common.problems import ProblemError
from preprocess.text import decode_text

Read = Callable[[bytes], Iterator[str]]


def _whole_document(data: bytes) -> Iterator[str]:
    text = decode_text(data)
    if not text.strip():
        raise ProblemError(422, "empty_input", "the object holds no text")
    yield text


READERS: Mapping[str, Read] = {
    ".txt": _whole_document,
    ".md": _whole_document,
}


def reader_of(name: str) -> Read:
    """What reads objects of that name. Raises a ProblemError 415 that names the supported suffixes."""
    suffix = PurePosixPath(name).suffix.lower()
    read = READERS.get(suffix)
    if read is None:
        supported = sorted(READERS)
        raise ProblemError(
            415,
            "unsupported_type",
            f"objects of type {suffix or '(no suffix)'} are not supported; "
            f"supported are {', '.join(supported)}",
            details={"suffix": suffix, "supported": supported},
        )
    return read
