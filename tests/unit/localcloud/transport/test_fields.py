"""What the protos say of their fields: required, set by the server, unknown, not emulated."""

import json
from typing import Any

import pytest
from google.cloud import eventarc_v1, monitoring_dashboard_v1, run_v2
from google.cloud.devtools import cloudbuild_v1
from scripts.field_behavior import TABLE, table

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.transport.fields import check_request


def create(**service: Any) -> Any:
    """A raw CreateServiceRequest that is complete."""
    service = {"template": {"containers": [{"image": "i"}]}, **service}
    request = run_v2.CreateServiceRequest(parent="p", service_id="s", service=service)
    return run_v2.CreateServiceRequest.pb(request)


def refusal(request: Any, *emulated: str) -> tuple[Code, str]:
    with pytest.raises(ServiceError) as caught:
        check_request(request, *([emulated] if emulated else []))
    (violation,) = caught.value.details.fields
    return caught.value.code, violation.path


def test_a_complete_request_passes() -> None:
    check_request(create())


@pytest.mark.parametrize("field", ["parent", "service", "service_id"])
def test_a_required_field_is_asked_for_by_name(field: str) -> None:
    request = create()
    request.ClearField(field)
    assert refusal(request) == (Code.INVALID_ARGUMENT, field)


def test_required_fields_are_asked_for_below_too() -> None:
    request = create()
    request.service.template.containers[0].ClearField("image")
    assert refusal(request) == (Code.INVALID_ARGUMENT, "service.template.containers.image")


def chart(**data_set: Any) -> Any:
    """A raw CreateDashboardRequest with a chart of one data set."""
    widget = {"xy_chart": {"data_sets": [{"legend_template": "x", **data_set}]}}
    dashboard = {"display_name": "d", "grid_layout": {"widgets": [widget]}}
    request = monitoring_dashboard_v1.CreateDashboardRequest(parent="p", dashboard=dashboard)
    return monitoring_dashboard_v1.CreateDashboardRequest.pb(request)


def test_required_fields_of_messages_inside_others_are_asked_for() -> None:
    path = "dashboard.grid_layout.widgets.xy_chart.data_sets.time_series_query"
    assert refusal(chart()) == (Code.INVALID_ARGUMENT, path)


def test_a_required_flag_may_be_false() -> None:
    request = chart(time_series_query={"prometheus_query": "up"})
    table_ = request.dashboard.grid_layout.widgets.add().time_series_table
    table_.data_sets.add().time_series_query.prometheus_query = "up"
    table_.column_settings.add(column="a", visible=False)
    check_request(request)


def test_a_number_that_an_enum_does_not_have_is_refused_by_its_path() -> None:
    query = {"prometheus_query": "up"}
    check_request(chart(plot_type=4, time_series_query=query))
    path = "dashboard.grid_layout.widgets.xy_chart.data_sets.plot_type"
    wrong = chart(plot_type=99, time_series_query=query)
    assert refusal(wrong) == (Code.INVALID_ARGUMENT, path)


def test_an_update_may_leave_out_what_stays() -> None:
    service = {"description": "d"}
    check_request(run_v2.UpdateServiceRequest.pb(run_v2.UpdateServiceRequest(service=service)))


def test_a_build_is_named_in_either_way() -> None:
    check_request(cloudbuild_v1.GetBuildRequest.pb(cloudbuild_v1.GetBuildRequest(name="n")))


def test_what_the_server_sets_is_ignored_but_for_the_etag() -> None:
    request = create(uid="mine", creator="me", etag="old")
    check_request(request)
    service = request.service
    assert (service.uid, service.creator, service.etag) == ("", "", "old")
    trigger = eventarc_v1.Trigger.pb(eventarc_v1.Trigger(etag="old", uid="mine"))
    update = eventarc_v1.UpdateTriggerRequest.pb(eventarc_v1.UpdateTriggerRequest())
    update.trigger.CopyFrom(trigger)
    check_request(update)
    assert (update.trigger.etag, update.trigger.uid) == ("old", "")


def test_a_field_that_no_one_acts_on_is_refused_by_its_path() -> None:
    emulated = ("parent", "service_id", "service.template.containers")
    check_request(create(), emulated)
    request = create(description="d")
    assert refusal(request, *emulated) == (Code.UNIMPLEMENTED, "service.description")
    request = create()
    request.service.template.vpc_access.connector = "c"
    assert refusal(request, *emulated) == (Code.UNIMPLEMENTED, "service.template.vpc_access")


def test_a_field_of_a_newer_client_is_refused_by_its_number() -> None:
    request = create()
    newer = request.SerializeToString() + b"\xf8\x3e\x01"  # field 1007, varint 1
    code, path = refusal(type(request).FromString(newer))
    assert code is Code.UNIMPLEMENTED
    assert "1007" in path


def test_the_table_is_what_the_installed_libraries_say() -> None:
    assert table() == json.loads(TABLE.read_text())
