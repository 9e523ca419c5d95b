"""GPU types: the dated table, what it demands of a size, and a table of one's own."""

from pathlib import Path

import pytest

from gpupipe.core.config import load_text
from gpupipe.core.errors import UsageError
from gpupipe.core.flags import Flags
from gpupipe.core.gpus import table

FILE = Path("gpupipe.toml")
OWN = """as_of = "2027-01-01"
[gpu.nvidia-next]
least_cpu = 30
least_memory = "120Gi"
regions = ["us-central1"]
quota = "NextNoZonal"
zonal_quota = "Next"
"""


def gpu(text: str) -> tuple[str, str, str]:
    found = load_text(f"[gpu_inference]\n{text}", FILE, Flags(), {}).options.gpu_inference
    return found.gpu, found.cpu, found.memory


@pytest.mark.promise(55)
@pytest.mark.promise(141)
def test_an_rtx_pro_6000_with_its_minimums() -> None:
    rtx = 'gpu = "nvidia-rtx-pro-6000"\n'
    assert gpu(f'{rtx}cpu = 20\nmemory = "80Gi"') == ("nvidia-rtx-pro-6000", "20", "80Gi")
    for size, words in (
        ('cpu = 8\nmemory = "80Gi"', "needs at least 20 CPU, not 8"),
        ('cpu = 20\nmemory = "79Gi"', "at least 80Gi of memory"),
    ):
        with pytest.raises(UsageError) as caught:
            gpu(rtx + size)
        assert words in (caught.value.details or "")
    with pytest.raises(UsageError) as caught:
        gpu('cpu = 20\nmemory = "80Gi"')
    assert "20 CPU do not go with gpu = 'nvidia-l4'" in (caught.value.details or "")


def test_a_table_of_ones_own_adds_a_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "gpus.toml"
    own.write_text(OWN)
    monkeypatch.setenv("GPUPIPE_GPUS", str(own))
    assert gpu('gpu = "nvidia-next"\ncpu = 30\nmemory = "120Gi"')[0] == "nvidia-next"
    assert table()["nvidia-l4"].least_cpu == 4
    assert table()["nvidia-next"].quota_id(zonal=True) == "Next"


@pytest.mark.parametrize(
    "text",
    ["", "no toml", "as_of = 1\ngpu = 3", OWN.replace("30", '"many"'), OWN.replace('["', '"')],
)
def test_a_table_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    own = tmp_path / "gpus.toml"
    own.write_text(text)
    monkeypatch.setenv("GPUPIPE_GPUS", str(own))
    with pytest.raises(UsageError, match=r"GPU types .* cannot be used"):
        table()
