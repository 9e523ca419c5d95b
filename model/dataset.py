"""The VADER ICWSM-2014 ground truth as labelled rows with a fixed, leak-free split.

Contract: `load(members)` gives rows in file order without repeated texts. All sentences of one
review or article are in one part; the part depends only on the group's name, so that it is the
same on every machine and for every training seed.
"""

import hashlib
import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

LABELS = ("negative", "neutral", "positive")
NEUTRAL_BAND = 0.5
SPLIT_SALT = "gpupipe-sentiment-1"
_TEST_PERCENT = 10
_VALIDATION_PERCENT = 5
_DOMAINS = {
    "tweets": "tweets",
    "amazon": "amazonReviewSnippets",
    "movie": "movieReviewSnippets",
    "nyt": "nytEditorialSnippets",
}


@dataclass(frozen=True)
class Row:
    """One rated text: `label` indexes LABELS, `part` is train, validation or test."""

    domain: str
    text: str
    label: int
    part: str


def label_of(score: float) -> int:
    """Class of a mean rating in -4..+4; the middle is neutral."""
    if score <= -NEUTRAL_BAND:
        return 0
    return 2 if score >= NEUTRAL_BAND else 1


def part_of(domain: str, group: str) -> str:
    """10 % test, 5 % validation, the rest for training, drawn by hash of the group."""
    name = f"{SPLIT_SALT}:{domain}:{group}".encode()
    draw = int.from_bytes(hashlib.sha256(name).digest()[:4], "big") % 100
    if draw < _TEST_PERCENT:
        return "test"
    return "validation" if draw < _TEST_PERCENT + _VALIDATION_PERCENT else "train"


def load(members: Mapping[str, bytes]) -> list[Row]:
    """All rows of the four sets; the first of equal texts stays."""
    seen: set[str] = set()
    rows = []
    for domain, stem in _DOMAINS.items():
        content = members[f"hutto_ICWSM_2014/{stem}_GroundTruth.txt"].decode("utf-8")
        for row in _rows(domain, content):
            key = " ".join(row.text.lower().split())
            if key not in seen:
                seen.add(key)
                rows.append(row)
    return rows


def _rows(domain: str, content: str) -> Iterator[Row]:
    for line in content.split("\n"):
        if not line.strip():
            continue
        number, score, text = line.rstrip("\r").split("\t")
        # "12_3" is sentence 3 of review or article 12; tweets and film snippets stand alone.
        group = number.partition("_")[0]
        yield Row(
            domain, html.unescape(text).strip(), label_of(float(score)), part_of(domain, group)
        )
