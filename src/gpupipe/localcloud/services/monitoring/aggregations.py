"""How series are aligned and reduced: the rules of google.monitoring.v3.Aggregation."""

from typing import Any

from gpupipe.localcloud.errors import invalid_argument

_LEAST_S = 60
ALERT_MOST_S = 90_000
CHART_MOST_S = 104 * 7 * 86_400


def check(aggregation: Any, path: str, most_s: int) -> None:
    """INVALID_ARGUMENT for one that cannot be carried out; `most_s`: the longest period."""
    aligned, reduced = aggregation.per_series_aligner, aggregation.cross_series_reducer
    if reduced and not aligned:
        raise invalid_argument(
            f"{path}: a cross_series_reducer needs a per_series_aligner.",
            f"{path}.per_series_aligner",
        )
    period = aggregation.alignment_period.ToNanoseconds() / 1e9
    if aligned and not _LEAST_S <= period <= most_s:
        raise invalid_argument(
            f"{path}: the alignment_period must be from {_LEAST_S} s to {most_s} s.",
            f"{path}.alignment_period",
        )
