"""What a dashboard must look like, and what the server fills in."""

from collections.abc import Callable, Mapping
from typing import Any

from google.cloud import monitoring_dashboard_v1 as pb

from gpupipe.localcloud.errors import invalid_argument
from gpupipe.localcloud.services.monitoring import aggregations, filters
from gpupipe.localcloud.transport.fields import walk
from gpupipe.localcloud.transport.rows import raw

Dashboard = raw(pb.Dashboard)
# MosaicLayout.columns says 12, newer pages say 48: what one of them allows is not refused.
_MOST_COLUMNS = 48
_LINE = int(pb.XyChart.DataSet.PlotType.LINE)
_Y1 = int(pb.XyChart.DataSet.TargetAxis.Y1)


def check(dashboard: Any) -> None:
    """Raise the first refusal that applies."""
    for path, part in walk(dashboard, "dashboard"):
        rule = _RULES.get(part.DESCRIPTOR.full_name)
        if rule is not None:
            rule(part, path)


def complete(dashboard: Any) -> None:
    """Fill in what a chart leaves to the server."""
    for _, part in walk(dashboard, ""):
        if part.DESCRIPTOR.full_name == _DATA_SET:
            data: Any = part
            data.plot_type = data.plot_type or _LINE
            data.target_axis = data.target_axis or _Y1


def _mosaic(layout: Any, path: str) -> None:
    if not 1 <= layout.columns <= _MOST_COLUMNS:
        where = f"{path}.columns"
        raise invalid_argument(f"{where} must be from 1 to {_MOST_COLUMNS}.", where)
    for tile in layout.tiles:
        _check_tile(tile, layout.columns, f"{path}.tiles")


def _check_tile(tile: Any, columns: int, path: str) -> None:
    for name, least in (("x_pos", 0), ("y_pos", 0), ("width", 1), ("height", 1)):
        if getattr(tile, name) < least:
            where = f"{path}.{name}"
            raise invalid_argument(f"{where} must be at least {least}.", where)
    if tile.x_pos + tile.width > columns:
        raise invalid_argument(
            f"A tile at {tile.x_pos} with the width {tile.width} does not fit in {columns} columns.",
            f"{path}.width",
        )


def _query(query: Any, path: str) -> None:
    if query.WhichOneof("source") is None:
        raise invalid_argument(f"{path} has no source of time series.", path)


def _filter(part: Any, path: str) -> None:
    filters.check_chart(part.filter, f"{path}.filter")


def _aggregation(part: Any, path: str) -> None:
    aggregations.check(part, path, aggregations.CHART_MOST_S)


_PACKAGE = "google.monitoring.dashboard.v1"
_DATA_SET = f"{_PACKAGE}.XyChart.DataSet"
_RULES: Mapping[str, Callable[[Any, str], None]] = {
    f"{_PACKAGE}.Aggregation": _aggregation,
    f"{_PACKAGE}.MosaicLayout": _mosaic,
    f"{_PACKAGE}.TimeSeriesFilter": _filter,
    f"{_PACKAGE}.TimeSeriesFilterRatio.RatioPart": _filter,
    f"{_PACKAGE}.TimeSeriesQuery": _query,
}
