"""Dashboard, alert policies and log-based metrics of a deployed pipeline, over the wire."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from google.cloud import monitoring_dashboard_v1 as dash
from google.cloud import monitoring_v3 as mon
from google.cloud.logging_v2.services.metrics_service_v2 import MetricsServiceV2Client
from tests.support.crashes import tiny_deployer
from tests.support.localcloud import RunningCloud, start_cloud
from tests.support.pipeline import Deployer

from gpupipe.core.errors import GpupipeError
from gpupipe.deploy import dashboard, destroy
from gpupipe.deploy.action import Verb
from gpupipe.localcloud.errors import Code
from gpupipe.localcloud.kernel.denials import Denial
from gpupipe.localcloud.kernel.faults import Fault, Kind

PROJECT = "watched-project"
PARENT = f"projects/{PROJECT}"
TILES = {
    "Executions", "Failures by class", "Latency of preprocess", "Latency of gpu-inference",
    "Latency of postprocess", "Requests", "Server errors", "Error rate", "Instances",
    "Billable time", "Cost", "GPU utilisation", "GPU memory", "CPU", "Memory", "Queue",
    "Inference time", "Batch size", "Model load", "Undelivered events", "Growth of the buckets",
}  # fmt: skip


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    cloud = start_cloud(tmp_path_factory.mktemp("watched") / "cloud")
    one = tiny_deployer(cloud, PROJECT)
    done = one.deploy(canary=False)
    assert done.outcome.errors == []
    yield one
    cloud.stop()


def configured(deployed: Deployer, folder: Path, text: str) -> Deployer:
    file = folder / "gpupipe.toml"
    file.write_text(text)
    return tiny_deployer(deployed.cloud, PROJECT, file=file)


def dashboards(cloud: RunningCloud) -> list[Any]:
    client: Any = cloud.client(dash.DashboardsServiceClient)
    return list(client.list_dashboards(request={"parent": PARENT}))


def policies(cloud: RunningCloud) -> dict[str, Any]:
    client: Any = cloud.client(mon.AlertPolicyServiceClient)
    return {one.display_name: one for one in client.list_alert_policies(request={"name": PARENT})}


def metrics(cloud: RunningCloud) -> list[str]:
    client: Any = cloud.client(MetricsServiceV2Client)
    return [one.name for one in client.list_log_metrics(request={"parent": PARENT})]


@pytest.mark.promise(93, "D10")
@pytest.mark.promise(78)
@pytest.mark.promise(100)
@pytest.mark.promise(101)
@pytest.mark.promise(103)
@pytest.mark.promise("S63")
@pytest.mark.promise("D20")
@pytest.mark.promise(92)
def test_a_deploy_makes_a_dashboard_with_a_tile_for_each_question(deployed: Deployer) -> None:
    (board,) = dashboards(deployed.cloud)
    tiles = {tile.widget.title: tile.widget for tile in board.mosaic_layout.tiles}
    assert set(tiles) == TILES
    filters = [part.filter for widget in tiles.values() for part in parts(widget)]
    assert len(filters) > len(tiles)
    assert all("metric.type=" in one for one in filters)
    for service in ("preprocess", "gpu-inference", "postprocess"):
        reducers = {
            part.aggregation.cross_series_reducer.name
            for part in parts(tiles[f"Latency of {service}"])
        }
        assert reducers == {f"REDUCE_PERCENTILE_{one}" for one in (50, 95, 99)}
    assert "eventarc-" in str(tiles["Undelivered events"])


def parts(widget: Any) -> list[Any]:
    """The filters of a chart with their aggregations; of a share both."""
    found = []
    for one in widget.xy_chart.data_sets:
        query = one.time_series_query
        if query.time_series_filter_ratio:
            ratio = query.time_series_filter_ratio
            found += [ratio.numerator, ratio.denominator]
        elif not query.prometheus_query:
            found.append(query.time_series_filter)
    return found


@pytest.mark.promise(94)
def test_the_error_rate_is_the_share_of_errors_among_all_answers(deployed: Deployer) -> None:
    (board,) = dashboards(deployed.cloud)
    (tile,) = [one for one in board.mosaic_layout.tiles if one.widget.title == "Error rate"]
    errors, all_answers = parts(tile.widget)
    assert errors.filter == f'{all_answers.filter} metric.label.response_code_class="5xx"'
    assert "run.googleapis.com/request_count" in errors.filter


@pytest.mark.promise(95)
@pytest.mark.promise(102)
def test_the_cost_is_billed_instance_hours_times_the_dated_price(deployed: Deployer) -> None:
    (board,) = dashboards(deployed.cloud)
    (tile,) = [one for one in board.mosaic_layout.tiles if one.widget.title == "Cost"]
    (data,) = tile.widget.xy_chart.data_sets
    # 4 CPU, 16 GiB and an L4 for an hour: 3600 * (4 * 0.000018 + 16 * 0.000002 + 0.0001867).
    assert data.time_series_query.prometheus_query == (
        "sum(rate(run_googleapis_com:container_billable_instance_time"
        '{monitored_resource="cloud_run_revision",service_name="ml-pipeline-gpu-inference"}[5m]))'
        " * 1.04652"
    )
    assert "prices of 2026-08" in data.legend_template
    assert tile.widget.xy_chart.y_axis.label == "USD an hour"


def test_a_cost_without_a_known_price_is_said_to_be_unknown(
    deployed: Deployer, tmp_path: Path
) -> None:
    free = configured(
        deployed, tmp_path, '[gpu_inference]\ngpu = "none"\ncpu = "4"\nmemory = "8Gi"\n'
    )
    (tile,) = [one for one in dashboard.tiles(free.spec, "s") if one.title == "Cost"]
    assert not tile.queries
    assert "not known" in tile.text


@pytest.mark.promise(93, 94, 92, "D10", "D20")
@pytest.mark.promise(79)
@pytest.mark.promise("S62")
@pytest.mark.promise(98)
def test_a_deploy_makes_alert_policies_that_close_by_themselves(deployed: Deployer) -> None:
    found = policies(deployed.cloud)
    assert {name.removeprefix("ml-pipeline-") for name in found} == {
        "failed-executions", "error-rate", "latency", "gpu-saturation", "undelivered-events",
        "idle-instance",
    }  # fmt: skip
    for policy in found.values():
        assert policy.alert_strategy.auto_close.total_seconds() == 1800
        assert policy.user_labels["gpupipe-pipeline"] == "ml-pipeline"
        assert policy.documentation.content
        for condition in policy.conditions:
            assert condition.condition_threshold.filter.startswith('metric.type="')


@pytest.mark.promise(79)
@pytest.mark.promise(99)
def test_a_deploy_makes_log_metrics(deployed: Deployer) -> None:
    assert {"ml-pipeline-queue", "ml-pipeline-batch-size", "ml-pipeline-inference",
            "ml-pipeline-load", "ml-pipeline-failures"} == set(metrics(deployed.cloud))  # fmt: skip


def test_a_second_deploy_changes_nothing(deployed: Deployer) -> None:
    assert [one.kind for one in deployed.engine().plan().writes] == []


def test_tiles_of_people_stay_and_are_no_difference(deployed: Deployer) -> None:
    client: Any = deployed.cloud.client(dash.DashboardsServiceClient)
    (board,) = dashboards(deployed.cloud)
    own = dash.Widget(title="Mine", text={"content": "ours to keep"})
    board.mosaic_layout.tiles.append(
        dash.MosaicLayout.Tile(y_pos=90, width=4, height=2, widget=own)
    )
    moved = board.mosaic_layout.tiles[0]
    moved.y_pos, title = 80, moved.widget.title
    client.update_dashboard(request={"dashboard": board})
    assert not deployed.engine().plan().writes
    (board,) = dashboards(deployed.cloud)
    board.mosaic_layout.tiles[0].widget.xy_chart.y_axis.label = "changed"
    del board.mosaic_layout.tiles[1]
    client.update_dashboard(request={"dashboard": board})
    plan = deployed.engine().plan()
    (action,) = plan.writes
    assert (action.kind, action.verb, len(action.changes)) == ("dashboard", Verb.UPDATE, 2)
    assert deployed.deploy(canary=False).outcome.errors == []
    (board,) = dashboards(deployed.cloud)
    tiles = {tile.widget.title: tile for tile in board.mosaic_layout.tiles}
    assert tiles["Mine"].widget.text.content == "ours to keep"
    assert tiles[title].y_pos == 80
    assert not deployed.engine().plan().writes


def test_a_policy_that_was_changed_or_copied_is_put_right(deployed: Deployer) -> None:
    client: Any = deployed.cloud.client(mon.AlertPolicyServiceClient)
    latency = policies(deployed.cloud)["ml-pipeline-latency"]
    latency.conditions[0].condition_threshold.threshold_value = 1
    client.update_alert_policy(request={"alert_policy": latency})
    (action,) = deployed.engine().plan().writes
    assert [one.field for one in action.changes] == ["ml-pipeline-latency conditions"]
    assert "last changed by" in action.drift
    client.create_alert_policy(request={"name": PARENT, "alert_policy": nameless(latency)})
    (action,) = deployed.engine().plan().writes
    assert len(action.changes) == 2
    deployed.deploy(canary=False)
    assert len(policies(deployed.cloud)) == 6
    assert not deployed.engine().plan().writes


def nameless(policy: Any) -> Any:
    copied = mon.AlertPolicy(policy)
    copied.name = ""
    for condition in copied.conditions:
        condition.name = ""
    return copied


@pytest.mark.promise(79)
def test_alerts_go_to_the_channels_of_the_configuration(deployed: Deployer, tmp_path: Path) -> None:
    channels: Any = deployed.cloud.client(mon.NotificationChannelServiceClient)
    channel = channels.create_notification_channel(
        request={
            "name": PARENT,
            "notification_channel": {"type_": "email", "labels": {"email_address": "a@b.c"}},
        }
    )
    text = f'notification_channels = ["{channel.name}"]\n'
    told = configured(deployed, tmp_path, text)
    assert told.deploy(canary=False).outcome.errors == []
    found = policies(deployed.cloud).values()
    assert all(list(one.notification_channels) == [channel.name] for one in found)
    assert deployed.deploy(canary=False).outcome.errors == []


def test_thresholds_are_those_of_the_configuration(deployed: Deployer, tmp_path: Path) -> None:
    text = """[alerts]
error_percent = 12
latency_seconds = 7
gpu_percent = 71
undelivered_events = 40
idle_minutes = 45
"""
    own = configured(deployed, tmp_path, text)
    (action,) = own.engine().plan().writes
    assert {change.field.split()[0] for change in action.changes} == {
        f"ml-pipeline-{name}"
        for name in (
            "error-rate",
            "latency",
            "gpu-saturation",
            "undelivered-events",
            "idle-instance",
        )
    }
    assert own.deploy(canary=False).outcome.errors == []
    found = policies(deployed.cloud)

    def first(name: str) -> Any:
        return found[f"ml-pipeline-{name}"].conditions[0].condition_threshold

    assert first("error-rate").threshold_value == pytest.approx(0.12)
    assert first("latency").threshold_value == 7000
    assert first("gpu-saturation").threshold_value == pytest.approx(0.71)
    assert first("undelivered-events").threshold_value == 40
    assert {
        one.condition_threshold.duration.total_seconds()
        for one in found["ml-pipeline-idle-instance"].conditions
    } == {45 * 60}
    assert deployed.deploy(canary=False).outcome.errors == []
    assert (
        first("latency").threshold_value
        != policies(deployed.cloud)["ml-pipeline-latency"]
        .conditions[0]
        .condition_threshold.threshold_value
    )


@pytest.mark.promise("S65")
def test_without_monitoring_ours_goes_and_what_is_peoples_stays(
    deployed: Deployer, tmp_path: Path
) -> None:
    client: Any = deployed.cloud.client(dash.DashboardsServiceClient)
    client.create_dashboard(request={"parent": PARENT, "dashboard": {"display_name": "Theirs"}})
    off = configured(deployed, tmp_path, "monitoring = false\n")
    actions = {one.kind: one.verb for one in off.engine().plan().writes}
    assert actions == {
        "dashboard": Verb.DELETE, "alert policies": Verb.DELETE, "log metrics": Verb.DELETE,
    }  # fmt: skip
    assert off.deploy(canary=False).outcome.errors == []
    assert [one.display_name for one in dashboards(deployed.cloud)] == ["Theirs"]
    assert not policies(deployed.cloud)
    assert not metrics(deployed.cloud)
    assert not off.engine().plan().writes


def test_without_monitoring_nobody_needs_its_roles(deployed: Deployer, tmp_path: Path) -> None:
    off = configured(deployed, tmp_path, "monitoring = false\n")
    denials = deployed.cloud.kernel.denials
    names = (
        "monitoring.dashboards.list",
        "monitoring.alertPolicies.list",
        "logging.logMetrics.list",
    )
    for name in names:
        denials.revoke(Denial(PROJECT, name))
    try:
        assert not off.engine().plan().writes
        with pytest.raises(GpupipeError, match="permission is missing"):
            deployed.engine().plan()
    finally:
        for name in names:
            denials.restore(Denial(PROJECT, name))


def test_a_lost_answer_makes_nothing_twice(deployed: Deployer) -> None:
    for method in ("monitoring.alertPolicies.create", "monitoring.dashboards.create"):
        deployed.cloud.kernel.faults.inject(Fault(method, Kind.LOST, code=Code.UNAVAILABLE))
    assert deployed.deploy(canary=False).outcome.errors == []
    assert all(one.left == 0 for one in deployed.cloud.kernel.faults.account())
    client: Any = deployed.cloud.client(mon.AlertPolicyServiceClient)
    found = list(client.list_alert_policies(request={"name": PARENT}))
    assert len(found) == len({one.display_name for one in found}) == 6
    assert len([one for one in dashboards(deployed.cloud) if one.labels]) == 1


def test_a_destroy_leaves_nothing_of_it(deployed: Deployer) -> None:
    """The last test of the module: the pipeline is gone afterwards."""
    world, nothing = deployed.engine().world, frozenset[str]()
    removal = destroy.plan_removal(world, keep=nothing, parallelism=8)
    assert {one.kind for one in removal.actions} >= {"dashboard", "alert policies", "log metrics"}
    left = {one.kind for one in destroy.inventory(world, keep=nothing, parallelism=8)}
    assert left >= {"dashboard", "alert policies", "log metrics"}
    destroy.remove(
        world,
        removal,
        lambda _: nullcontext(lambda _: None),
        clock=deployed.clock,
        parallelism=8,
        cancel=Event(),
        force=False,
    )
    assert destroy.inventory(world, keep=nothing, parallelism=8) == ()
