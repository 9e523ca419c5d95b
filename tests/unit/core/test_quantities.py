"""CPU and memory in their many spellings."""

import pytest

from gpupipe.core.quantities import memory_bytes, memory_text, milli_cpu


@pytest.mark.parametrize(("text", "milli"), [("4", 4000), ("4000m", 4000), ("0.5", 500), ("", 0)])
def test_cpu_is_told_in_thousandths(text: str, milli: int) -> None:
    assert milli_cpu(text) == milli


@pytest.mark.parametrize(
    ("text", "size"),
    [("1Gi", 2**30), ("1024Mi", 2**30), ("1G", 10**9), ("7", 7), ("", 0), ("much", 0)],
)
def test_memory_is_told_in_bytes(text: str, size: int) -> None:
    assert memory_bytes(text) == size


@pytest.mark.parametrize("text", ["40Gi", "1536Mi", "3Ki", "1001"])
def test_bytes_get_their_shortest_spelling(text: str) -> None:
    assert memory_text(memory_bytes(text)) == text
