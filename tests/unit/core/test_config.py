"""The configuration: which source wins, what is refused and how it is said."""

from pathlib import Path

import pytest

from gpupipe.core.config import Config, Flags, load
from gpupipe.core.errors import Exit, UsageError


def config(
    folder: Path, file: str | None = None, environment: dict[str, str] | None = None,
    flags: Flags = Flags(),  # noqa: B008  # frozen
) -> Config:  # fmt: skip
    if file is not None:
        (folder / "gpupipe.toml").write_text(file, encoding="utf-8")
    return load(flags, environment or {}, folder)


def test_the_defaults(tmp_path: Path) -> None:
    found = config(tmp_path)
    assert (found.target, found.project) == (None, None)
    assert (found.region, found.prefix) == ("us-central1", "ml-pipeline")
    assert (found.queue_wait, found.retention_days) == (21600, 30)
    assert (found.gpu_inference.cpu, found.gpu_inference.memory) == ("4", "16Gi")
    assert (found.gpu_inference.gpu, found.gpu_inference.zonal_redundancy) == ("nvidia-l4", False)
    assert (found.preprocess.memory, found.postprocess.memory) == ("2Gi", "1Gi")
    for service in (found.preprocess, found.gpu_inference, found.postprocess):
        assert (service.timeout, service.min_instances, service.max_instances) == (300, 0, None)
    assert set(found.sources.values()) == {"default"}


def test_a_table_of_a_service_keeps_the_defaults_that_it_does_not_name(tmp_path: Path) -> None:
    text = "".join(
        f"[{name}]\ntimeout = 60\n" for name in ("preprocess", "gpu_inference", "postprocess")
    )
    found = config(tmp_path, text)
    services = (found.preprocess, found.gpu_inference, found.postprocess)
    assert [one.memory for one in services] == ["2Gi", "16Gi", "1Gi"]
    assert [one.timeout for one in services] == [60, 60, 60]


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("target", ["GPUPIPE_TARGET"]),
        ("project", ["GOOGLE_CLOUD_PROJECT", "PROJECT_ID"]),
        ("region", ["GPUPIPE_REGION", "GOOGLE_CLOUD_REGION", "REGION"]),
        ("prefix", ["GPUPIPE_PREFIX", "SERVICE_PREFIX"]),
    ],
)
def test_flag_over_variables_over_file_over_default(
    tmp_path: Path, name: str, variables: list[str]
) -> None:
    file, sources = f'{name} = "google"', []
    environment = dict.fromkeys(variables, "local")
    while environment:
        found = config(tmp_path, file, environment)
        assert getattr(found, name) == "local"
        sources.append(found.sources[name])
        del environment[found.sources[name]]
    assert sources == variables
    assert getattr(config(tmp_path, file), name) == "google"
    assert config(tmp_path, file).sources[name] == "gpupipe.toml"
    if name != "target":
        flags = Flags(**{name: "flagged"})  # type: ignore[arg-type]
        found = config(tmp_path, file, dict.fromkeys(variables, "local"), flags)
        assert (getattr(found, name), found.sources[name]) == ("flagged", "flag")


def test_an_empty_variable_is_an_unset_one(tmp_path: Path) -> None:
    assert config(tmp_path, environment={"REGION": ""}).region == "us-central1"


def test_the_file_of_the_flag_is_read_and_named_as_the_source(tmp_path: Path) -> None:
    (tmp_path / "gpupipe.toml").write_text('region = "us-east4"', encoding="utf-8")
    other = tmp_path / "other.toml"
    other.write_text('region = "europe-west4"', encoding="utf-8")
    found = config(tmp_path, flags=Flags(config=other))
    assert (found.region, found.sources["region"]) == ("europe-west4", "other.toml")


def test_a_file_of_the_flag_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no configuration file") as caught:
        config(tmp_path, flags=Flags(config=tmp_path / "nowhere.toml"))
    assert "--config" in caught.value.resolution
    assert caught.value.exit is Exit.USAGE


@pytest.mark.parametrize("text", ["region = ", "[preprocess", "a = 1\na = 2"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="cannot be read") as caught:
        config(tmp_path, text)
    assert caught.value.details


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gpupipe.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="cannot be read"):
        config(tmp_path)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('regoin = "us-east4"', "regoin: no such key; did you mean region?"),
        ("[gpu_inference]\nmemroy = '16Gi'", "gpu_inference.memroy: no such key; did you mean memory?"),
        ("xyzzy = 1", "xyzzy: no such key"),
        ('[preprocess]\ngpu = "nvidia-l4"', "preprocess.gpu: no such key"),
        ('target = "gcp"', "target: "),
        ("queue_wait = 59", "queue_wait: "),
        ("queue_wait = 86401", "queue_wait: "),
        ("retention_days = 0", "retention_days: "),
        ("parallel_chunks = 21", "parallel_chunks: "),
        ("[limits]\nrows = 0", "limits.rows: "),
        ("[limits]\nrow = 5", "limits.row: no such key; did you mean rows?"),
        ('[gpu_inference]\ncpu = "3"', "gpu_inference.cpu: "),
        ('[gpu_inference]\nmemory = "16GB"', "gpu_inference.memory: "),
        ('[gpu_inference]\ngpu = "a100"', "gpu_inference.gpu: "),
        ("[postprocess]\nconcurrency = 1001", "postprocess.concurrency: "),
        ("[postprocess]\ntimeout = 3601", "postprocess.timeout: "),
        ("[postprocess]\nmin_instances = -1", "postprocess.min_instances: "),
        ("[postprocess]\nmax_instances = 0", "postprocess.max_instances: "),
    ],
)  # fmt: skip
def test_a_fault_of_the_file_is_named_by_its_place(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(UsageError, match="is not valid") as caught:
        config(tmp_path, text)
    assert (caught.value.details or "").startswith(fault)


@pytest.mark.parametrize("text", ['[preprocess]\ngpu = "nvidia-l4"', 'memory = "16Gi"'])
def test_a_key_that_belongs_elsewhere_is_not_proposed_as_itself(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        config(tmp_path, text)
    assert "did you mean gpu?" not in (caught.value.details or "")
    assert "did you mean memory?" not in (caught.value.details or "")


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        config(tmp_path, "one = 1\ntwo = 2\nqueue_wait = 1")
    assert len((caught.value.details or "").splitlines()) == 3


@pytest.mark.parametrize("value", ["gcp", "LOCAL"])
def test_a_target_of_the_environment_is_checked(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError, match=f"GPUPIPE_TARGET is '{value}'"):
        config(tmp_path, environment={"GPUPIPE_TARGET": value})


def test_the_sizes_of_the_file_are_kept(tmp_path: Path) -> None:
    found = config(
        tmp_path,
        '[gpu_inference]\ncpu = "8"\nmemory = "32Gi"\nmax_instances = 3\ntimeout = 600\n',
    )
    size = found.gpu_inference
    assert (size.cpu, size.memory, size.max_instances, size.timeout) == ("8", "32Gi", 3, 600)
    assert size.concurrency == 64


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ('[gpu_inference]\ncpu = "2"', "nvidia-l4 needs at least 4 CPU, not 2"),
        ('[gpu_inference]\nmemory = "8Gi"', "4 CPU need at least 16Gi of memory, not 8Gi"),
        ('[gpu_inference]\ncpu = "8"\nmemory = "3Gi"', "at least 16Gi"),
        ('[preprocess]\ncpu = "4"\nmemory = "1Gi"', "4 CPU need at least 2Gi of memory, not 1Gi"),
        ('[postprocess]\ncpu = "8"\nmemory = "2048Mi"', "8 CPU need at least 4Gi"),
        ("[preprocess]\nmin_instances = 3\nmax_instances = 2", "larger than max_instances"),
    ],
)
@pytest.mark.promise("D17")
def test_a_size_that_google_refuses_is_refused_before_anything_is_made(
    tmp_path: Path, file: str, words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        config(tmp_path, file)
    assert words in (caught.value.details or "")
    assert "Value error" not in (caught.value.details or "")


@pytest.mark.parametrize(
    "file", ['[preprocess]\ncpu = "4"\nmemory = "2Gi"', '[gpu_inference]\nmemory = "16384Mi"']
)
def test_the_smallest_size_that_google_takes_is_taken(tmp_path: Path, file: str) -> None:
    config(tmp_path, file)  # one that is refused raises
