"""Update masks: what is replaced, what stays, what is refused."""

from typing import Any

import pytest
from google.cloud import artifactregistry_v1, cloudquotas_v1, run_v2
from google.protobuf.field_mask_pb2 import FieldMask

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.transport.updates import WithoutMask, merged


def service(**fields: Any) -> Any:
    given = {"template": {"containers": [{"image": "i"}]}, **fields}
    return run_v2.Service.pb(run_v2.Service(**given))


def update(old: Any, new: Any, *paths: str, without_mask: WithoutMask = WithoutMask.WHOLE) -> Any:
    return merged(old, new, FieldMask(paths=paths), path="service", without_mask=without_mask)


def test_a_mask_replaces_what_it_names_and_nothing_else() -> None:
    old = service(description="old", labels={"a": "1", "b": "2"}, client="c")
    result = update(old, service(description="new", labels={"c": "3"}), "description", "labels")
    assert (result.description, dict(result.labels), result.client) == ("new", {"c": "3"}, "c")
    assert old.description == "old"


def test_a_mask_reaches_below() -> None:
    old = service()
    new = service()
    new.template.scaling.max_instance_count = 7
    new.template.containers[0].image = "other"
    result = update(old, new, "template.scaling.max_instance_count")
    assert result.template.scaling.max_instance_count == 7
    assert result.template.containers[0].image == "i"


def test_without_a_mask_everything_or_only_what_is_given() -> None:
    old, new = service(description="old", client="c"), service(client="d")
    assert update(old, new).description == ""
    given = update(old, new, without_mask=WithoutMask.GIVEN)
    assert (given.description, given.client) == ("old", "d")
    assert update(old, new, "*").description == ""


def test_what_the_server_sets_stays() -> None:
    old = service(name="n", uid="u", etag="e", generation=3)
    result = update(old, service(name="x", uid="x", etag="x", generation=9), "uid", "*")
    assert (result.name, result.uid, result.etag, result.generation) == ("n", "u", "e", 3)


@pytest.mark.parametrize("path", ["nonsense", "template.nonsense", "labels.a", ""])
def test_a_path_that_does_not_exist_is_refused(path: str) -> None:
    with pytest.raises(ServiceError) as caught:
        update(service(), service(), path)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert [field.path for field in caught.value.details.fields] == ["update_mask"]


def test_a_client_says_type_where_python_says_type_() -> None:
    repository = artifactregistry_v1.Repository
    old = repository.pb(repository(format_="DOCKER"))
    new = repository.pb(repository(format_="MAVEN"))
    result = merged(old, new, FieldMask(paths=["format"]), path="r", without_mask=WithoutMask.GIVEN)
    assert result.format_ == new.format_


def test_an_update_may_not_remove_what_is_required() -> None:
    with pytest.raises(ServiceError) as caught:
        update(service(), run_v2.Service.pb(run_v2.Service()), "template")
    assert [field.path for field in caught.value.details.fields] == ["service.template"]


def test_an_immutable_field_may_be_sent_as_it_is_and_not_changed() -> None:
    preference = cloudquotas_v1.QuotaPreference

    def wanting(region: str) -> Any:
        config = {"preferred_value": 1}
        given = {"service": "run", "quota_id": "q", "quota_config": config}
        return preference.pb(preference(dimensions={"region": region}, **given))

    def change(new: Any) -> Any:
        return merged(wanting("r1"), new, FieldMask(), path="p", without_mask=WithoutMask.WHOLE)

    assert dict(change(wanting("r1")).dimensions) == {"region": "r1"}
    with pytest.raises(ServiceError) as caught:
        change(wanting("r2"))
    assert [field.path for field in caught.value.details.fields] == ["p.dimensions"]
