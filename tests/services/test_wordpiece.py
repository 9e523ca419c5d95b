"""The tokeniser: BERT's uncased rules, and the same ids as the one that trained the model."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model.wordpiece import WordPiece as TrainingWordPiece

from common.problems import ProblemError
from gpu_inference.loading import BAKED
from gpu_inference.windows import Encoder, mean
from gpu_inference.wordpiece import WordPiece, words

LINES = (BAKED / "vocab.txt").read_text("utf-8").removesuffix("\n").split("\n")
TOKENIZER = WordPiece(LINES)
TRAINING = TrainingWordPiece(LINES)
TINY = WordPiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "##ness", "un", "##good", "!", "a"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, World!", ["hello", ",", "world", "!"]),
        ("Crème BRÛLÉE", ["creme", "brulee"]),
        ("don't $5+x", ["don", "'", "t", "$", "5", "+", "x"]),
        ("a\tb\r\nc\u00a0d\u2003e", ["a", "b", "c", "d", "e"]),
        ("zero\u200bwidth\u200djoin\ufeff", ["zerowidthjoin"]),
        ("nul\0l \x07bell \x0bvt", ["null", "bell", "vt"]),
        ("日本x語", ["日", "本", "x", "語"]),
        ("ΣΑΣ", ["σασ"]),
        ("İ ẞ ﬁ \u1e9b\u0323", ["i", "ß", "ﬁ", "\u017f"]),
        ("각 \uf900", ["\u1100\u1161\u11a8", "\u8c48"]),
        ("it\u2019s \u2014 ok\u3002", ["it", "\u2019", "s", "\u2014", "ok", "\u3002"]),
        ("x\ufffdy", ["xy"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert list(words(text)) == expected


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("goodness", [4, 5]),
        ("ungoodness!", [6, 7, 5, 8]),
        ("goodx", [1]),
        ("a" * 101, [1]),
        ("[SEP]", [1, 1, 1]),
        ("##ness", [1, 1, 1]),
    ],
)
def test_longest_piece_first(text: str, ids: list[int]) -> None:
    assert list(TINY.ids(text)) == ids


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
def test_same_ids_as_in_training(text: str) -> None:
    ids = [*TOKENIZER.first, *TOKENIZER.ids(text), *TOKENIZER.last]
    assert ids == TRAINING.encode(text, 100_000)


@given(st.text(st.characters(max_codepoint=127), max_size=200))
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
def test_same_ids_as_in_training_for_ascii(text: str) -> None:
    assert [101, *TOKENIZER.ids(text), 102] == TRAINING.encode(text, 100_000)


def test_known_ids_of_bert_uncased() -> None:
    assert list(TOKENIZER.ids("hello world")) == [7592, 2088]
    assert list(TOKENIZER.ids("[MASK]")) != [103]


def test_a_letter_with_very_many_marks_takes_no_longer_than_its_length() -> None:
    # Sorted by their classes these would take hours.
    assert list(words("a" + "\u0301\u0323" * 500_000)) == ["a"]


@pytest.mark.promise("S74")
def test_long_text_is_cut_into_even_windows_without_loss() -> None:
    encoder = Encoder(TINY, max_tokens=6, max_windows=3)
    windows = encoder.windows("a a good a a")
    assert windows == [[2, 4 + 5, 9, 3], [2, 4, 9, 9, 3]]
    assert encoder.windows("") == [[2, 3]]
    assert [len(window) for window in encoder.windows("a " * 12)] == [6, 6, 6]
    with pytest.raises(ProblemError) as caught:
        encoder.windows("a " * 13)
    assert (caught.value.status, caught.value.code) == (413, "text_too_long")


def test_too_long_text_is_refused_before_all_of_it_is_tokenised() -> None:
    taken = 0

    class Counting(WordPiece):
        def ids(self, text: str) -> Iterator[int]:
            nonlocal taken
            for one in super().ids(text):
                taken += 1
                yield one

    counting = Counting(["[UNK]", "[CLS]", "[SEP]", "a"])
    with pytest.raises(ProblemError):
        Encoder(counting, max_tokens=4, max_windows=2).windows("a " * 1000)
    assert taken == 5


def test_mean_is_by_column() -> None:
    assert mean([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]]) == [0.5, 0.5]
