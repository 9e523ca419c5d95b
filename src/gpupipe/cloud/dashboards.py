"""Cloud Monitoring's dashboards: ours, with tiles of charts, beside which people put their own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gpupipe.cloud.api import Api
from gpupipe.cloud.call import none_if_missing
from gpupipe.cloud.causes import API_USABLE

_COLUMNS, _WIDTH, _HEIGHT = 12, 4, 4


@dataclass(frozen=True, slots=True)
class Query:
    """Series of a chart: which, aligned to a minute or longer, reduced by `group_by`.

    denominator: the filter of what the series are a share of, "" for none.
    """

    filter: str
    aligner: str
    reducer: str
    group_by: tuple[str, ...] = ()
    legend: str = ""
    period_s: int = 60
    denominator: str = ""


@dataclass(frozen=True, slots=True)
class PromQuery:
    """Series of a chart in PromQL, for what needs arithmetic."""

    text: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Tile:
    """A chart of lines, known by its title, or a text where there is nothing to draw."""

    title: str
    unit: str
    queries: tuple[Query | PromQuery, ...]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """tiles: those that are charts as ours are; `raw`: all of it as the API gave it."""

    name: str
    tiles: tuple[Tile, ...]
    labels: Mapping[str, str]
    resource: str = ""
    raw: Any = field(default=None, compare=False, repr=False)


class DashboardsApi(Api):
    """The calls that gpupipe needs of dashboards."""

    def labelled(self, project: str, labels: Mapping[str, str]) -> tuple[Dashboard, ...]:
        """The dashboards of a project that carry all these labels, in the order of their names."""
        parent = f"projects/{project}"
        method = self._client.list_dashboards
        found = none_if_missing(
            lambda: self._all("Listing dashboards", parent, method, {"parent": parent})
        )
        ours = [one for one in found or () if labels.items() <= dict(one.labels).items()]
        return tuple(_dashboard(one) for one in sorted(ours, key=lambda one: str(one.name)))

    def url(self, resource: str) -> str:
        """Where people see it; of a cloud without a console where its API gives it."""
        owner, _, number = resource.partition("/dashboards/")
        project = owner.removeprefix("projects/")
        if console := self._clients.console:
            return f"{console}/monitoring/dashboards/builder/{number}?project={project}"
        _, address = self._clients.session("monitoring")
        return f"{address}/v1/{resource}"

    def create(self, project: str, wanted: Dashboard) -> None:
        """Make the dashboard. The API names it, so a lost answer is not asked for again."""
        parent = f"projects/{project}"
        tiles = [_placed(tile, number, 0) for number, tile in enumerate(wanted.tiles)]
        dashboard = {
            "display_name": wanted.name,
            "labels": dict(wanted.labels),
            "mosaic_layout": {"columns": _COLUMNS, "tiles": tiles},
        }
        self._unary(
            "Creating the dashboard",
            parent,
            self._client.create_dashboard,
            {"parent": parent, "dashboard": dashboard},
            idempotent=False,
            causes=(API_USABLE,),
        )

    def update(self, found: Dashboard, wanted: Dashboard, known: frozenset[str]) -> None:
        """Set our tiles where they are, add missing ones below, drop those of `known` that are not wanted.

        What else people put there stays; the etag holds off who has not seen their last change.
        """
        board = found.raw
        layout = board.mosaic_layout
        layout.columns = layout.columns or _COLUMNS
        titles = {tile.title for tile in wanted.tiles}
        kept = [one for one in layout.tiles
                if one.widget.title in titles or one.widget.title not in known]  # fmt: skip
        placed = {one.widget.title: one for one in kept}
        bottom = max((one.y_pos + one.height for one in kept), default=0)
        new: list[dict[str, Any]] = []
        for tile in wanted.tiles:
            if tile.title in placed:
                chart = type(placed[tile.title].widget)(_widget(tile))
                placed[tile.title].widget = chart
            else:
                new.append(_placed(tile, len(new), bottom))
        layout.tiles = [*kept, *new]
        board.display_name = wanted.name
        board.labels = {**dict(board.labels), **wanted.labels}
        board.mosaic_layout = layout
        self._unary(
            "Updating the dashboard",
            found.resource,
            self._client.update_dashboard,
            {"dashboard": board},
            idempotent=False,
        )

    def delete(self, resource: str) -> None:
        """Delete the dashboard; one that is gone already is fine."""
        parent, request = "/".join(resource.split("/")[:2]), {"name": resource}
        none_if_missing(
            lambda: self._unary(
                "Deleting the dashboard", parent, self._client.delete_dashboard, request
            )
        )

    @property
    def _client(self) -> Any:
        return self._clients.client("dashboards")


def _placed(tile: Tile, number: int, top: int) -> dict[str, Any]:
    row, column = divmod(number, _COLUMNS // _WIDTH)
    return {
        "x_pos": column * _WIDTH,
        "y_pos": top + row * _HEIGHT,
        "width": _WIDTH,
        "height": _HEIGHT,
        "widget": _widget(tile),
    }


def _widget(tile: Tile) -> dict[str, Any]:
    if tile.text:
        return {"title": tile.title, "text": {"content": tile.text, "format": "MARKDOWN"}}
    sets = [
        {
            # What the server would fill in is set, so that it is no difference later.
            "plot_type": "LINE",
            "target_axis": "Y1",
            "legend_template": one.legend,
            "time_series_query": _source(one),
        }
        for one in tile.queries
    ]
    chart = {"data_sets": sets, "y_axis": {"label": tile.unit, "scale": "LINEAR"}}
    return {"title": tile.title, "xy_chart": chart}


def _source(query: Query | PromQuery) -> dict[str, Any]:
    if isinstance(query, PromQuery):
        return {"prometheus_query": query.text}
    step = {
        "alignment_period": {"seconds": query.period_s},
        "per_series_aligner": query.aligner,
        "cross_series_reducer": query.reducer,
        "group_by_fields": list(query.group_by),
    }
    part = {"filter": query.filter, "aggregation": step}
    if not query.denominator:
        return {"time_series_filter": part}
    whole = {"filter": query.denominator, "aggregation": step}
    return {"time_series_filter_ratio": {"numerator": part, "denominator": whole}}


def _dashboard(found: Any) -> Dashboard:
    return Dashboard(
        name=str(found.display_name),
        tiles=tuple(_tile(one.widget) for one in found.mosaic_layout.tiles),
        labels=dict(found.labels),
        resource=str(found.name),
        raw=found,
    )


def _tile(widget: Any) -> Tile:
    chart = widget.xy_chart
    queries = tuple(_query(one) for one in chart.data_sets)
    return Tile(
        str(widget.title),
        str(chart.y_axis.label),
        queries,
        str(widget.text.content if widget.text else ""),
    )


def _query(found: Any) -> Query | PromQuery:
    source, legend = found.time_series_query, str(found.legend_template)
    if source.prometheus_query:
        return PromQuery(str(source.prometheus_query), legend)
    ratio = source.time_series_filter_ratio
    series = ratio.numerator if ratio else source.time_series_filter
    step = series.aggregation
    return Query(
        filter=str(series.filter),
        aligner=str(step.per_series_aligner.name),
        reducer=str(step.cross_series_reducer.name),
        group_by=tuple(step.group_by_fields),
        legend=legend,
        period_s=int(step.alignment_period.total_seconds()),
        denominator=str(ratio.denominator.filter) if ratio else "",
    )
