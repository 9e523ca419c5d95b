import pytest

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.kernel.kernel import Kernel

RUN = "run.googleapis.com"
CPU = "CpuAllocPerProjectRegion"


def test_a_fresh_project_has_the_defaults_until_they_are_changed(kernel: Kernel) -> None:
    quotas = kernel.quotas
    assert quotas.limit("demo-project", RUN, CPU, "us-central1") == 20_000
    quotas.set("demo-project", RUN, CPU, "us-central1", 5)
    assert quotas.limit("demo-project", RUN, CPU, "us-central1") == 5
    assert quotas.limit("demo-project", RUN, CPU, "europe-west4") == 20_000
    assert quotas.limit("other-project", RUN, CPU, "us-central1") == 20_000


def test_an_unknown_quota_is_not_found(kernel: Kernel) -> None:
    with pytest.raises(ServiceError) as refused:
        kernel.quotas.set("demo-project", RUN, "Nothing", "us-central1", 1)
    assert refused.value.code is Code.NOT_FOUND
