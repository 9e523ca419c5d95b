"""Faults: where they can be put, and their account."""

import pytest

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.kernel.faults import CALL, OF_OPERATION, Fault, FaultPoint, Faults, Kind

CREATE = FaultPoint("run.services.create", CALL | OF_OPERATION)
GET = FaultPoint("run.services.get")


@pytest.fixture
def faults() -> Faults:
    made = Faults()
    made.know([CREATE, GET])
    return made


def test_faults_strike_in_the_order_in_which_they_were_put_in(faults: Faults) -> None:
    faults.inject(Fault(GET.method, Kind.ERROR, 2, Code.UNAVAILABLE))
    faults.inject(Fault(GET.method, Kind.RESET))
    kinds = []
    for _ in range(4):
        found = faults.take(GET.method, CALL)
        kinds.append(found and found.kind)
    assert kinds == [Kind.ERROR, Kind.ERROR, Kind.RESET, None]
    assert [(one.consumed, one.left) for one in faults.account()] == [(2, 0), (1, 0)]
    faults.clear()
    assert faults.account() == ()


def test_other_methods_and_kinds_are_left_alone(faults: Faults) -> None:
    faults.inject(Fault(GET.method, Kind.ERROR, 1, Code.UNAVAILABLE))
    assert faults.take(CREATE.method, CALL) is None
    assert faults.take(GET.method, OF_OPERATION) is None


def test_a_method_that_there_is_not_is_refused_with_what_is_close(faults: Faults) -> None:
    with pytest.raises(ServiceError) as refused:
        faults.check(Fault("run.services.creat", Kind.RESET))
    assert refused.value.code is Code.INVALID_ARGUMENT
    assert "run.services.create" in refused.value.message


def test_a_kind_that_a_method_cannot_have_is_refused_with_those_it_can(faults: Faults) -> None:
    faults.check(Fault(CREATE.method, Kind.SLOW, seconds=1))
    with pytest.raises(ServiceError) as refused:
        faults.check(Fault(GET.method, Kind.SLOW, seconds=1))
    assert "error, lost, reset, stall" in refused.value.message
