"""Settings of how the cloud behaves: kept, bounded."""

import math
from pathlib import Path

import pytest

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.kernel.behaviour import Behaviour
from gpupipe.localcloud.store.database import Database


def test_settings_start_at_nothing_and_outlive_the_process(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.db")
    behaviour = Behaviour(database)
    assert (behaviour.propagation_s, behaviour.latency_factor) == (0, 0)
    behaviour.propagation_s, behaviour.latency_factor = 90, 0.5
    database.close()
    database = Database(tmp_path / "state.db")
    again = Behaviour(database)
    assert (again.propagation_s, again.latency_factor) == (90, 0.5)
    database.close()


@pytest.mark.parametrize("value", [-1, math.nan, math.inf])
def test_a_value_that_makes_no_sense_is_refused(tmp_path: Path, value: float) -> None:
    database = Database(tmp_path / "state.db")
    behaviour = Behaviour(database)
    with pytest.raises(ServiceError) as refused:
        behaviour.propagation_s = value
    assert refused.value.code is Code.INVALID_ARGUMENT
    assert behaviour.propagation_s == 0
    database.close()
