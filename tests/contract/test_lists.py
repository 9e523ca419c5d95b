"""Page tokens are good for the list that gave them, and for nothing else (AIP-158)."""

import uuid
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import storage
from tests.support.givens import enabled
from tests.support.localcloud import RunningCloud
from tests.support.world import World


@pytest.fixture
def world(module_cloud: RunningCloud) -> World:
    world = World(module_cloud, f"lists-{uuid.uuid4().hex[:8]}")
    enabled(world)
    return world


def page(client: Any, method: str, **request: Any) -> Any:
    """One answer, as it is on the wire."""
    return next(iter(getattr(client, method)(request={"page_size": 1, **request}).pages))


def test_a_token_goes_on_with_its_own_list_in_pages_of_another_size(world: World) -> None:
    iam, name = world.client("iam"), f"projects/{world.project}"
    for number in range(3):
        world.account(f"account-{number}")
    first = page(iam, "list_service_accounts", name=name)
    rest = page(
        iam, "list_service_accounts", name=name, page_size=5, page_token=first.next_page_token
    )
    emails = [one.email.partition("@")[0] for one in (*first.accounts, *rest.accounts)]
    assert emails == ["account-0", "account-1", "account-2"]
    assert not rest.next_page_token


def test_a_token_of_another_parent_method_or_query_is_refused(world: World) -> None:
    usage, parent = world.client("serviceusage"), f"projects/{world.project}"
    token = page(usage, "list_services", parent=parent).next_page_token
    iam = world.client("iam")
    for call in (
        lambda: page(usage, "list_services", parent="projects/lists-other", page_token=token),
        lambda: page(
            usage, "list_services", parent=parent, filter="state:ENABLED", page_token=token
        ),
        lambda: page(iam, "list_service_accounts", name=parent, page_token=token),
        lambda: page(usage, "list_services", parent=parent, page_token="cnVu"),
    ):
        with pytest.raises(exceptions.InvalidArgument, match="page token"):
            call()


def bucket_with_objects(client: storage.Client) -> storage.Bucket:
    bucket = client.create_bucket(f"lists-{uuid.uuid4().hex[:12]}")
    for name in ("a", "b"):
        bucket.blob(name).upload_from_string(name)
    return bucket


def first_token(iterator: Any) -> str:
    next(iterator.pages)
    token: str = iterator.next_page_token
    return token


@pytest.mark.parametrize("query", [{}, {"prefix": "b"}, {"versions": True}])
def test_a_token_of_another_list_of_objects_is_refused(
    module_cloud: RunningCloud, query: dict[str, Any]
) -> None:
    client = module_cloud.storage_client()
    one, other = bucket_with_objects(client), bucket_with_objects(client)
    token = first_token(client.list_blobs(one, max_results=2, page_size=1))
    asked = one if query else other
    with pytest.raises(exceptions.BadRequest, match="pageToken"):
        list(client.list_blobs(asked, page_token=token, **query))


def test_a_token_of_buckets_is_of_their_prefix_and_not_a_name(module_cloud: RunningCloud) -> None:
    client = module_cloud.storage_client()
    names = sorted(bucket_with_objects(client).name for _ in range(2))
    token = first_token(client.list_buckets(prefix="lists-", page_size=1))
    rest = [one.name for one in client.list_buckets(prefix="lists-", page_token=token)]
    assert names[-1] in rest
    for prefix, wrong in (("lis", token), ("lists-", names[0])):
        with pytest.raises(exceptions.BadRequest, match="pageToken"):
            list(client.list_buckets(prefix=prefix, page_token=wrong))
