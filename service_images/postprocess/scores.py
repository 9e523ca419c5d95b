"""Score records of the inference stage as items of the result.

Contract: each line of a score object is an item, in order; it carries a label with its scores or
an error. Confidence is `high` above 0.8, `medium` from 0.6, and below that the item is marked
`requires_review`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeGuard

from common.jsonl import broken_record, decode_lines
from common.objects import ObjectRef
from common.problems import JsonObject, ProblemError

HIGH_ABOVE = 0.8
MEDIUM_FROM = 0.6


def confidence_of(score: float) -> str:
    """The band of a score."""
    if score > HIGH_ABOVE:
        return "high"
    return "medium" if score >= MEDIUM_FROM else "requires_review"


def items_of(data: bytes, ref: ObjectRef) -> list[JsonObject]:
    """The items of one score object. Raises a ProblemError where a line is not a score record."""
    items = []
    for number, record in enumerate(decode_lines(data, ref), 1):
        item = _item(record)
        if item is None:
            raise broken_record(ref, number)
        items.append(item)
    return items


def _item(record: Mapping[str, object]) -> JsonObject | None:
    identity, row = record.get("id"), record.get("row")
    if not isinstance(identity, str) or not (row is None or isinstance(row, int)):
        return None
    key = {"id": identity} | ({} if row is None else {"row": row})
    if isinstance(record.get("error"), dict):
        return {**key, "error": record["error"]}
    label, score, scores = record.get("label"), record.get("score"), record.get("scores")
    if not isinstance(label, str) or not _is_score(score) or not _are_scores(scores):
        return None
    band = confidence_of(score)
    return {
        **key,
        "label": label,
        "score": score,
        "scores": scores,
        "confidence": band,
        "requires_review": band == "requires_review",
        "windows": record.get("windows", 1),
        "truncated": record.get("truncated", False),
    }


def _is_score(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _are_scores(value: object) -> bool:
    return isinstance(value, dict) and all(_is_score(score) for score in value.values())


def summary_of(items: Sequence[JsonObject]) -> JsonObject:
    """Counts by label, the mean score and how many items a person should look at."""
    scored = [item for item in items if "error" not in item]
    scores = [score for item in scored if isinstance(score := item["score"], (int, float))]
    labels = Counter(str(item["label"]) for item in scored)
    return {
        "total": len(items),
        "ok": len(scored),
        "failed": len(items) - len(scored),
        "by_label": dict(sorted(labels.items())),
        "mean_score": round(sum(scores) / len(scores), 6) if scores else None,
        "requires_review": sum(item["requires_review"] is True for item in scored),
    }


def nothing_scored(items: Sequence[JsonObject]) -> ProblemError:
    """Every item of the input failed: that is no result, and the first item's error says why."""
    first = items[0].get("error") if items else None
    code = first.get("code") if isinstance(first, dict) else None
    message = first.get("message") if isinstance(first, dict) else None
    return ProblemError(
        422,
        "no_item_scored",
        f"none of the {len(items)} items of the input could be scored; the first: {message}",
        details={"items": len(items), "first": code},
    )
