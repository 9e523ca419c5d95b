"""With the right to act as one account its rows of `actas` are accepted; that right is enough."""

from collections.abc import Callable
from itertools import count

import pytest
from google.api_core import exceptions
from tests.contract.test_refusals import prepared
from tests.support.localcloud import RunningCloud
from tests.support.refusals import Row, rows
from tests.support.world import World

from gpupipe.localcloud.kernel import act_as

_numbers = count(1)
ROWS = [row for row in rows() if row.api == "actas" and row.roles]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_the_right_on_the_account_is_what_was_missing(module_cloud: RunningCloud, row: Row) -> None:
    world = World(module_cloud, f"act-{next(_numbers):04d}")
    call = prepared(world, row.request)
    token = world.account("caller", *row.roles)
    with pytest.raises(exceptions.PermissionDenied) as refused:
        call(token)
    assert refused.value.metadata["permission"] == act_as.PERMISSION
    kernel = module_cloud.kernel
    account = kernel.identity.account(f"runtime@{world.project}.iam.gserviceaccount.com")
    assert account is not None
    kernel.policies.grant(
        account.name,
        "roles/iam.serviceAccountUser",
        f"serviceAccount:caller@{world.project}.iam.gserviceaccount.com",
    )
    assert not lacks_act_as(call, token)


def lacks_act_as(call: Callable[[str], object], token: str) -> bool:
    """Whether a call is refused for that; what else an account may lack is another matter."""
    try:
        call(token)
    except exceptions.GoogleAPICallError as error:
        return "actAs" in error.message
    return False
