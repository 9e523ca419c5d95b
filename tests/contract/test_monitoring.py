"""Cloud Monitoring through its official clients: what is kept, what the server fills in."""

from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import monitoring_dashboard_v1 as dash
from google.cloud import monitoring_v3 as mon
from tests.support.localcloud import RunningCloud
from tests.support.refusals import bases, filled

CHART = "monitoring.dashboard"
ALERT = "monitoring.alert"


@pytest.fixture
def names(module_cloud: RunningCloud) -> dict[str, str]:
    return {
        "project": module_cloud.project,
        "number": str(module_cloud.project_number),
        "region": "us-central1",
    }


@pytest.fixture
def dashboards(module_cloud: RunningCloud) -> dash.DashboardsServiceClient:
    client: dash.DashboardsServiceClient = module_cloud.client(dash.DashboardsServiceClient)
    return client


@pytest.fixture
def alerts(module_cloud: RunningCloud) -> mon.AlertPolicyServiceClient:
    client: mon.AlertPolicyServiceClient = module_cloud.client(mon.AlertPolicyServiceClient)
    return client


def test_a_dashboard_is_named_by_number_and_read_by_either(
    dashboards: dash.DashboardsServiceClient, names: dict[str, str]
) -> None:
    made = dashboards.create_dashboard(request=filled(bases()[CHART].body, names))
    assert made.name.startswith(f"projects/{names['number']}/dashboards/")
    by_id = made.name.replace(names["number"], names["project"], 1)
    assert dashboards.get_dashboard(request={"name": by_id}) == made
    assert dashboards.get_dashboard(request={"name": made.name}) == made


def test_what_a_chart_leaves_out_is_filled_in(
    dashboards: dash.DashboardsServiceClient, names: dict[str, str]
) -> None:
    made = dashboards.create_dashboard(request=filled(bases()["monitoring.ratio"].body, names))
    data = made.grid_layout.widgets[0].xy_chart.data_sets[0]
    assert data.plot_type == dash.XyChart.DataSet.PlotType.LINE
    assert data.target_axis == dash.XyChart.DataSet.TargetAxis.Y1


def test_an_update_replaces_a_dashboard_and_its_etag(
    dashboards: dash.DashboardsServiceClient, names: dict[str, str]
) -> None:
    made = dashboards.create_dashboard(request=filled(bases()[CHART].body, names))
    new = dash.Dashboard(name=made.name, display_name="Other", etag=made.etag)
    changed = dashboards.update_dashboard(request={"dashboard": new})
    assert changed.display_name == "Other"
    assert not changed.mosaic_layout.tiles
    assert changed.etag != made.etag
    with pytest.raises(exceptions.Aborted):
        dashboards.update_dashboard(request={"dashboard": new})


def test_validate_only_keeps_nothing(
    dashboards: dash.DashboardsServiceClient, names: dict[str, str]
) -> None:
    request = {"parent": f"projects/{names['project']}", "validate_only": True}
    before = len(list(dashboards.list_dashboards(request={"parent": request["parent"]})))
    dashboards.create_dashboard(request={**request, "dashboard": {"display_name": "x"}})
    after = len(list(dashboards.list_dashboards(request={"parent": request["parent"]})))
    assert after == before


def test_dashboards_are_listed_in_pages_and_deleted(
    dashboards: dash.DashboardsServiceClient, names: dict[str, str]
) -> None:
    parent = f"projects/{names['project']}"
    made = {
        dashboards.create_dashboard(
            request={"parent": parent, "dashboard": {"display_name": str(number)}}
        ).name
        for number in range(3)
    }
    pager = dashboards.list_dashboards(request={"parent": parent, "page_size": 1})
    assert made <= {one.name for one in pager}
    for name in made:
        dashboards.delete_dashboard(request={"name": name})
    left = {one.name for one in dashboards.list_dashboards(request={"parent": parent})}
    assert not made & left


def test_a_policy_gets_names_a_record_and_is_enabled(
    alerts: mon.AlertPolicyServiceClient, names: dict[str, str]
) -> None:
    made = alerts.create_alert_policy(request=filled(bases()[ALERT].body, names))
    assert made.name.startswith(f"projects/{names['project']}/alertPolicies/")
    assert made.conditions[0].name.startswith(f"{made.name}/conditions/")
    assert bool(made.enabled)
    assert made.creation_record.mutated_by
    assert alerts.get_alert_policy(request={"name": made.name}) == made


def test_a_condition_keeps_its_name_where_an_update_sends_it(
    alerts: mon.AlertPolicyServiceClient, names: dict[str, str]
) -> None:
    made = alerts.create_alert_policy(request=filled(bases()[ALERT].body, names))
    made.conditions[0].condition_threshold.threshold_value = 3
    kept = alerts.update_alert_policy(request={"alert_policy": made})
    assert kept.conditions[0].name == made.conditions[0].name
    assert kept.conditions[0].condition_threshold.threshold_value == 3
    kept.conditions[0].name = ""
    renamed = alerts.update_alert_policy(request={"alert_policy": kept})
    assert renamed.conditions[0].name != made.conditions[0].name


def test_a_mask_leaves_the_rest_of_a_policy(
    alerts: mon.AlertPolicyServiceClient, names: dict[str, str]
) -> None:
    made = alerts.create_alert_policy(request=filled(bases()[ALERT].body, names))
    changed = alerts.update_alert_policy(
        request={
            "alert_policy": {"name": made.name, "display_name": "Other"},
            "update_mask": {"paths": ["display_name"]},
        }
    )
    assert changed.display_name == "Other"
    assert changed.conditions == made.conditions


def test_policies_are_listed_and_deleted(
    alerts: mon.AlertPolicyServiceClient, names: dict[str, str]
) -> None:
    parent = f"projects/{names['project']}"
    made = alerts.create_alert_policy(request=filled(bases()[ALERT].body, names)).name
    assert made in {one.name for one in alerts.list_alert_policies(request={"name": parent})}
    alerts.delete_alert_policy(request={"name": made})
    assert made not in {one.name for one in alerts.list_alert_policies(request={"name": parent})}


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (
            "conditions.condition_matched_log",
            {"conditions": [{"condition_matched_log": {"filter": "severity=ERROR"}}]},
        ),
        (
            "alert_strategy.notification_rate_limit",
            {"alert_strategy": {"notification_rate_limit": {"period": {"seconds": 60}}}},
        ),
    ],
)
def test_what_is_not_emulated_is_refused_by_name(
    alerts: mon.AlertPolicyServiceClient, names: dict[str, str], path: str, change: dict[str, Any]
) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match=f"alert_policy.{path}"):
        alerts.create_alert_policy(
            request={
                "name": f"projects/{names['project']}",
                "alert_policy": {"display_name": "x", "combiner": "OR", **change},
            },
            retry=None,
        )


def test_a_channel_that_is_deleted_by_force_leaves_the_policies(
    alerts: mon.AlertPolicyServiceClient, names: dict[str, str], module_cloud: RunningCloud
) -> None:
    channels = module_cloud.client(mon.NotificationChannelServiceClient)
    made = channels.create_notification_channel(
        request=filled(bases()["monitoring.channel"].body, names)
    )
    assert bool(made.enabled)
    request = filled(bases()[ALERT].body, names)
    by_number = made.name.replace(names["project"], names["number"], 1)
    request["alert_policy"]["notification_channels"] = [by_number]
    policy = alerts.create_alert_policy(request=request)
    assert policy.notification_channels == [made.name]
    channels.delete_notification_channel(request={"name": made.name, "force": True})
    assert not alerts.get_alert_policy(request={"name": policy.name}).notification_channels


def test_a_channel_is_updated_and_listed(names: dict[str, str], module_cloud: RunningCloud) -> None:
    channels = module_cloud.client(mon.NotificationChannelServiceClient)
    made = channels.create_notification_channel(
        request=filled(bases()["monitoring.channel"].body, names)
    )
    changed = channels.update_notification_channel(
        request={
            "notification_channel": {"name": made.name, "display_name": "Other"},
            "update_mask": {"paths": ["display_name"]},
        }
    )
    assert changed.display_name == "Other"
    assert changed.labels == made.labels
    assert len(changed.mutation_records) == 1
    listed = channels.list_notification_channels(request={"name": f"projects/{names['project']}"})
    assert changed in list(listed)


def test_channels_of_other_types_are_refused_by_name(
    names: dict[str, str], module_cloud: RunningCloud
) -> None:
    channels = module_cloud.client(mon.NotificationChannelServiceClient)
    with pytest.raises(exceptions.MethodNotImplemented, match="sms"):
        channels.create_notification_channel(
            request={
                "name": f"projects/{names['project']}",
                "notification_channel": {"type_": "sms", "labels": {"number": "+1"}},
            },
            retry=None,
        )
