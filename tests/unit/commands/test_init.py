"""`gpupipe init`: what it writes, what it leaves, what of the recipe it takes over."""

import io
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpupipe.commands._init import InitRequest, run
from gpupipe.core.assets import build_context, pipeline_source
from gpupipe.core.config import load
from gpupipe.core.digest import source_digest
from gpupipe.core.errors import Exit, UsageError
from gpupipe.core.flags import Flags
from gpupipe.core.recipe import taken_over
from gpupipe.core.tfvars import parse
from gpupipe.deploy.own_sources import check, service_source

FLAT = """
# the README's
project_id = "my-project"
region     = "us-east4"
zone       = "us-east4-a"   // means nothing
service_prefix = "mine"
gpu_type = "nvidia-l4"
gpu_memory = "32Gi"
gpu_cpu = 8
preprocess_memory = "4Gi"
postprocess_memory = "2Gi"
max_instances = 3
timeout_seconds = 600
typo_here = 1
"""
NESTED = """
project_id = "my-project"
labels = { team = "blue", managed-by = "terraform" }
require_authentication = false
gpu_service_config = {
  cpu = "8000m", memory = "32Gi"
  gpu_type = "nvidia-l4"
  gpu_count = 1
  max_instances = "4"
  timeout = "900s"
}
cpu_service_config = {
  cpu = "2"
  memory = "3Gi"
  preprocess_limits = { memory = "4Gi" }
}
storage_config = { storage_class = "NEARLINE", location = "US", lifecycle_age_days = 12 }
workflow_config = { call_log_level = "LOG_ALL_CALLS", retry_policy = { max_retry_duration = "60s" } }
cors_allowed_origins = ["*"]
log_retention_days = 30
"""


def init(folder: Path, **more: object) -> int:
    wanted = {"given": {}, "settings": (), "file": folder / "gpupipe.toml", "source": None}
    return run(InitRequest(**{**wanted, "eject": False, "yes": True, **more}))  # type: ignore[arg-type]


def written(folder: Path) -> dict[str, object]:
    return tomllib.loads((folder / "gpupipe.toml").read_text())


def test_monitoring_and_ingress_of_the_recipe_are_taken_over_and_what_never_worked_is_named() -> (
    None
):
    text = """
    enable_monitoring = false
    monitoring_config = { notification_channels = ["projects/p/notificationChannels/5"],
                          alert_threshold_cpu = 80 }
    security_config = { ingress = "INGRESS_TRAFFIC_INTERNAL_ONLY" }
    """
    taken = taken_over(parse(text, "terraform.tfvars"))
    assert taken.values == {
        "monitoring": False,
        "notification_channels": ["projects/p/notificationChannels/5"],
        "ingress": "internal",
    }
    assert "it never fired" in taken.idle["monitoring_config.alert_threshold_cpu"]


def test_values_of_the_recipe_that_cannot_be_are_refused_with_where_they_came_from(
    tmp_path: Path,
) -> None:
    """The README's cost-optimized example, which is less than an L4 needs."""
    source = tmp_path / "terraform.tfvars"
    source.write_text('gpu_memory = "8Gi"\ngpu_cpu = "2"\n')
    with pytest.raises(UsageError, match=r"What terraform\.tfvars says makes no valid") as caught:
        init(tmp_path, source=source)
    assert "an nvidia-l4 needs at least 4 CPU, not 2" in (caught.value.details or "")
    assert not (tmp_path / "gpupipe.toml").exists()
    more = ("gpu_inference.cpu=4", "gpu_inference.memory=16Gi")
    assert init(tmp_path, source=source, settings=more) == Exit.DONE


@pytest.mark.promise(26)
def test_it_writes_what_is_given_and_again_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = {"given": {"project": "my-project", "preset": None},
              "settings": ("gpu_inference.max_instances=3", "labels=team=blue")}  # fmt: skip
    assert init(tmp_path, **chosen) == Exit.DONE
    assert written(tmp_path) == {
        "project": "my-project",
        "gpu_inference": {"max_instances": 3},
        "labels": {"team": "blue"},
    }
    before = (tmp_path / "gpupipe.toml").stat().st_mtime_ns
    assert init(tmp_path, **chosen) == Exit.DONE
    assert (tmp_path / "gpupipe.toml").stat().st_mtime_ns == before
    assert "says all of that already" in capsys.readouterr().err


def test_it_asks_where_nothing_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("my-project\n\nmine\ndevelopment\n"))
    assert init(tmp_path, yes=False) == Exit.DONE
    assert written(tmp_path) == {"project": "my-project", "prefix": "mine", "preset": "development"}
    assert "Region [us-central1]: " in capsys.readouterr().err


def test_without_anybody_to_answer_it_names_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(UsageError, match="nobody to answer") as caught:
        init(tmp_path, yes=False)
    assert "--project or --yes" in caught.value.resolution
    monkeypatch.setattr(sys, "stdin", io.StringIO("my-project\n"))
    with pytest.raises(UsageError, match="nobody to answer") as caught:
        init(tmp_path, yes=False)
    assert "--region or --yes" in caught.value.resolution
    assert list(tmp_path.iterdir()) == []


def test_what_the_file_says_stays_comments_too(tmp_path: Path) -> None:
    file = tmp_path / "gpupipe.toml"
    file.write_text('# mine\nregion = "us-east4"  # near\n\n[gpu_inference] # big\ncpu = "8"\n')
    init(tmp_path, given={"prefix": "mine"}, settings=("gpu_inference.memory=32Gi",))
    assert file.read_text() == (
        '# mine\nregion = "us-east4"  # near\nprefix = "mine"\n\n'
        '[gpu_inference] # big\ncpu = "8"\nmemory = "32Gi"\n'
    )


def test_a_wrong_value_is_refused_and_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        init(tmp_path, given={"region": "nowhere"})
    assert "region = 'nowhere': it takes a region" in (caught.value.details or "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.promise("D16")
def test_the_flat_variables_of_the_readme_are_taken_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "terraform.tfvars").write_text(FLAT)
    init(tmp_path, source=tmp_path / "terraform.tfvars")
    config = load(Flags(config=tmp_path / "gpupipe.toml"), {}, tmp_path)
    assert (config.project, config.region, config.prefix) == ("my-project", "us-east4", "mine")
    gpu = config.options.gpu_inference
    assert (gpu.gpu, gpu.cpu, gpu.memory, gpu.max_instances) == ("nvidia-l4", "8", "32Gi", 3)
    assert (config.options.preprocess.memory, config.options.postprocess.memory) == ("4Gi", "2Gi")
    assert config.options.postprocess.timeout == 600
    told = capsys.readouterr().err
    assert "Not taken over: zone: every service that is used is regional." in told
    assert "Not taken over: typo_here: gpupipe has no option for it." in told


@pytest.mark.promise("D18")
def test_the_nested_variables_of_the_sources_are_taken_over() -> None:
    taken = taken_over(parse(NESTED, "terraform.tfvars"))
    assert taken.values == {
        "project": "my-project",
        "labels": {"team": "blue"},
        "gpu_inference.cpu": "8",
        "gpu_inference.memory": "32Gi",
        "gpu_inference.gpu": "nvidia-l4",
        "gpu_inference.max_instances": 4,
        "gpu_inference.timeout": 900,
        "preprocess.cpu": "2",
        "postprocess.cpu": "2",
        "preprocess.memory": "4Gi",
        "postprocess.memory": "3Gi",
        **{f"buckets.{name}.storage_class": "NEARLINE" for name in ("input", "models", "output")},
        "retention_days": 12,
        "workflow.call_log_level": "LOG_ALL_CALLS",
    }
    assert taken.idle.keys() == {
        "require_authentication", "gpu_service_config.gpu_count", "storage_config.location",
        "workflow_config.retry_policy.max_retry_duration", "cors_allowed_origins",
        "log_retention_days",
    }  # fmt: skip
    assert "always ask for an identity token" in taken.idle["require_authentication"]
    assert "no retry policy" in taken.idle["workflow_config.retry_policy.max_retry_duration"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = ", "terraform.tfvars:1: a value was expected"),
        ("\na", "terraform.tfvars:2: 'a' has no value"),
        ("a = var.b", "terraform.tfvars:1: '.b' is not understood"),
        ("a = {\nb = 1", "terraform.tfvars:2: '}' is missing"),
        ("a = [1", "']' is missing"),
        ("a = " + "[" * 100, "a value was expected"),
        ("a = " + "9" * 5000, "too long"),
        ('a = "\\q"', "is not understood"),
        ("[1]", "a name was expected"),
    ],
)
def test_a_variable_file_that_cannot_be_read_is_refused_with_the_line(
    text: str, words: str
) -> None:
    with pytest.raises(UsageError, match="cannot be read") as caught:
        parse(text, "terraform.tfvars")
    assert words in (caught.value.details or "")


@given(st.text(max_size=60) | st.text('ab=[]{}"\\\n,.#/*1', max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for name in ("x.tfvars", "x.tfvars.json"):
        try:
            taken_over(parse(text, name))
        except UsageError:
            continue


def test_eject_writes_what_the_packaged_images_are_built_from(tmp_path: Path) -> None:
    init(tmp_path, eject=True)
    config = load(Flags(config=tmp_path / "gpupipe.toml"), {}, tmp_path)
    check(config)
    for service in ("preprocess", "gpu-inference", "postprocess"):
        own = service_source(config, service)
        assert own is not None
        assert source_digest(own[0]) == source_digest(build_context(service))
    assert (tmp_path / "pipeline.yaml").read_text() == pipeline_source()


def test_eject_again_keeps_what_was_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init(tmp_path, eject=True)
    (tmp_path / "pipeline.yaml").write_text("mine")
    init(tmp_path, eject=True)
    assert (tmp_path / "pipeline.yaml").read_text() == "mine"
    assert "Kept as they are: 1 files" in capsys.readouterr().err


def test_eject_keeps_what_the_file_names_already(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = "us-docker.pkg.dev/p/r/i:1"
    (tmp_path / "mine.yaml").write_text(pipeline_source())
    text = f'[workflow]\nsource = "mine.yaml"\n\n[postprocess]\nimage = "{image}"\n'
    (tmp_path / "gpupipe.toml").write_text(text)
    assert init(tmp_path, eject=True) == Exit.DONE
    assert written(tmp_path) == {
        "workflow": {"source": "mine.yaml"},
        "postprocess": {"image": image},
        "preprocess": {"source": "services"},
        "gpu_inference": {"source": "services"},
    }
    told = capsys.readouterr().err
    assert "[workflow] says source = 'mine.yaml'" in told
    assert f"[postprocess] says image = '{image}'" in told


def test_it_writes_no_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--config gs://...` is for the commands that read; a folder named gs: would come of it."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="not an object") as caught:
        init(tmp_path, file=Path("gs://bucket/gpupipe.toml"), eject=True)
    assert caught.value.resource == "gs://bucket/gpupipe.toml"
    assert list(tmp_path.iterdir()) == []
