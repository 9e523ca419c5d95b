"""The configuration: which source wins, what is refused and how it is said."""

from pathlib import Path

import pytest

from gpupipe.core.config import Config, load
from gpupipe.core.errors import Exit, UsageError
from gpupipe.core.flags import Flags


def config(
    folder: Path, file: str | None = None, environment: dict[str, str] | None = None,
    flags: Flags = Flags(),  # noqa: B008  # frozen
) -> Config:  # fmt: skip
    if file is not None:
        (folder / "gpupipe.toml").write_text(file, encoding="utf-8")
    return load(flags, environment or {}, folder)


@pytest.mark.promise(46, 47, 65, 48, 49, 55, 56, 57, 58, 59, 61, "S17", "S18")
def test_the_defaults(tmp_path: Path) -> None:
    found = config(tmp_path).options
    assert (found.target, found.project) == (None, None)
    assert (found.region, found.prefix) == ("us-central1", "ml-pipeline")
    assert (found.queue_wait, found.retention_days) == (21600, 30)
    assert (found.gpu_inference.cpu, found.gpu_inference.memory) == ("4", "16Gi")
    assert (found.gpu_inference.gpu, found.gpu_inference.zonal_redundancy) == ("nvidia-l4", False)
    assert (found.preprocess.memory, found.postprocess.memory) == ("2Gi", "1Gi")
    for service in (found.preprocess, found.gpu_inference, found.postprocess):
        assert (service.timeout, service.min_instances, service.max_instances) == (300, 0, None)
    assert config(tmp_path).sources == {}


_THREE = {
    "target": ("google", "local", ""),
    "project": ("project-one", "project-two", "project-three"),
    "region": ("us-east4", "europe-west4", "us-central1"),
    "prefix": ("one", "two", "three"),
}


def test_a_table_of_a_service_keeps_the_defaults_that_it_does_not_name(tmp_path: Path) -> None:
    text = "".join(
        f"[{name}]\ntimeout = 60\n" for name in ("preprocess", "gpu_inference", "postprocess")
    )
    found = config(tmp_path, text)
    services = (found.options.preprocess, found.options.gpu_inference, found.options.postprocess)
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
@pytest.mark.promise(23, 51, 52, 54, 62, 63, 65, "D14")
def test_flag_over_variables_over_file_over_default(
    tmp_path: Path, name: str, variables: list[str]
) -> None:
    of_file, of_environment, of_flag = _THREE[name]
    file, sources = f'{name} = "{of_file}"', []
    environment = dict.fromkeys(variables, of_environment)
    while environment:
        found = config(tmp_path, file, environment)
        assert getattr(found, name) == of_environment
        sources.append(found.source(name))
        del environment[found.source(name)]
    assert sources == variables
    assert getattr(config(tmp_path, file), name) == of_file
    assert config(tmp_path, file).source(name) == "gpupipe.toml"
    if name != "target":
        flags = Flags(**{name: of_flag})  # type: ignore[arg-type]
        found = config(tmp_path, file, dict.fromkeys(variables, of_environment), flags)
        assert (getattr(found, name), found.source(name)) == (of_flag, "flag")


def test_an_empty_variable_is_an_unset_one(tmp_path: Path) -> None:
    assert config(tmp_path, environment={"REGION": ""}).region == "us-central1"


def test_the_file_of_the_flag_is_read_and_named_as_the_source(tmp_path: Path) -> None:
    (tmp_path / "gpupipe.toml").write_text('region = "us-east4"', encoding="utf-8")
    other = tmp_path / "other.toml"
    other.write_text('region = "europe-west4"', encoding="utf-8")
    found = config(tmp_path, flags=Flags(config=other))
    assert (found.region, found.source("region")) == ("europe-west4", "other.toml")


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
        ('regoin = "us-east4"', "1: regoin: no such option; did you mean region?"),
        ("[gpu_inference]\nmemroy = '16Gi'",
         "2: gpu_inference.memroy: no such option; did you mean memory?"),
        ("xyzzy = 1", "1: xyzzy: no such option"),
        ('[preprocess]\ngpu = "nvidia-l4"', "2: preprocess.gpu: no such option"),
        ('# a\n\ntarget = "gcp"', '3: target = \'gcp\': it takes "local" or "google"'),
        ("queue_wait = 59", "1: queue_wait = 59: it takes a whole number from 60 to 86400"),
        ("queue_wait = true", "1: queue_wait = true: it takes a whole number"),
        ("queue_wait = 86401", "1: queue_wait = 86401: "),
        ("retention_days = 0", "1: retention_days = 0: it takes a whole number from 1 to 3650"),
        ("parallel_chunks = 21", "1: parallel_chunks = 21: "),
        ("[limits]\nrows = 0", "2: limits.rows = 0: "),
        ("[limits]\nrow = 5", "2: limits.row: no such option; did you mean rows?"),
        ('[gpu_inference]\ncpu = "3"', "1: gpu_inference: "),
        ('[gpu_inference]\nmemory = "16GB"', "2: gpu_inference.memory = '16GB': it takes a number with"),
        ('[gpu_inference]\ngpu = "a100"', "2: gpu_inference.gpu = 'a100': "),
        ('[preprocess]\ncpu = 3', '2: preprocess.cpu = \'3\': it takes "1", "2"'),
        ("preprocess = 3", "1: preprocess: this is a table"),
        ("[postprocess]\nconcurrency = 1001", "2: postprocess.concurrency = 1001: "),
        ("[postprocess]\ntimeout = 3601", "2: postprocess.timeout = 3601: "),
        ("[postprocess]\nmin_instances = -1", "2: postprocess.min_instances = -1: "),
        ("[postprocess]\nmax_instances = 0", "2: postprocess.max_instances = 0: "),
        ("[labels]\nok = 'a'\nBad = 'b'", "3: labels.Bad: it takes up to 32"),
        ("labels = {gpupipe-x = 'a'}", "1: labels.gpupipe-x: it takes"),
        ("[buckets.work]\nsoft_delete_days = 3", "2: buckets.work.soft_delete_days = 3: it takes 0"),
        ("[buckets.models]\nretention_days = 3", "2: buckets.models.retention_days: no such option"),
        ("[buckets.input]\nname = 'mine'\nversioning = true",
         "1: buckets.input: versioning: a bucket that you name keeps its own settings"),
        ("[vpc]\negress = 'ALL_TRAFFIC'", "1: vpc: egress needs network"),
        ("[preprocess]\nsource = 'a'\nimage = 'h/a:1'", "1: preprocess: source and image exclude"),
        ("region = 'us-central1-a'", "1: region = 'us-central1-a': it takes a region"),
        ("prefix = 'google'", "1: prefix = 'google': it takes"),
        ("[alerts]\nerror_percent = 100", "2: alerts.error_percent = 100: it takes a whole number"),
        ("[alerts]\ngpu_percent = 0", "2: alerts.gpu_percent = 0: it takes a whole number from 1"),
        ("[alerts]\nidle_minutes = 4", "2: alerts.idle_minutes = 4: it takes a whole number from 5"),
        ("[alerts]\nlatency_seconds = 300",
         "1: alerts: latency_seconds = 300 is not below gpu_inference.timeout = 300"),
    ],
)  # fmt: skip
def test_a_fault_of_the_file_is_named_by_its_place(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(UsageError, match="is not valid") as caught:
        config(tmp_path, text)
    assert (caught.value.details or "").startswith(f"gpupipe.toml:{fault}")


@pytest.mark.promise("S50", "S51", "S52")
@pytest.mark.parametrize(
    ("file", "allowed"),
    [
        ('environment = "qa"', '"dev", "staging" or "prod"'),
        ('[buckets.models]\nstorage_class = "REGIONAL"',
         '"STANDARD", "NEARLINE", "COLDLINE" or "ARCHIVE"'),
        ('[workflow]\ncall_log_level = "LOG_SOME"',
         '"LOG_ALL_CALLS", "LOG_ERRORS_ONLY" or "LOG_NONE"'),
    ],
)  # fmt: skip
def test_what_is_not_in_a_list_is_refused_with_the_list(
    tmp_path: Path, file: str, allowed: str
) -> None:
    with pytest.raises(UsageError) as caught:
        config(tmp_path, file)
    assert (caught.value.details or "").endswith(f"it takes {allowed}")


def test_the_line_is_the_keys_own_also_in_a_long_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        config(tmp_path, "# a note\n" * 20_000 + "queue_wait = [\n  1,\n]\n")
    assert (caught.value.details or "").startswith("gpupipe.toml:20001: ")


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (
            'notification_channels = [\n  # mine\n  "projects/p/notificationChannels/1",\n  "2",\n\n  3, 4\n]',
            ["4: notification_channels.1 = '2'", "6: notification_channels.2 = 3",
             "6: notification_channels.3 = 4"],
        ),
        ("[budget]\nthresholds = [1,\n5000]", ["3: budget.thresholds.1 = 5000"]),
        ("[budget]\r\nthresholds = [1,\r\n5000]\r\n", ["3: budget.thresholds.1 = 5000"]),
        ("[[budget.thresholds]]\n[[budget.thresholds]]", ["1: budget.thresholds.0 = {}"]),
        ('[labels]\na = "b"\n0 = "c"', ["3: labels.0"]),
        ('[labels]\n"\\u0041" = "c"', ["1: labels.A"]),
    ],
)  # fmt: skip
def test_an_item_is_named_by_its_own_line(tmp_path: Path, text: str, faults: list[str]) -> None:
    (tmp_path / "gpupipe.toml").write_bytes(text.encode())
    with pytest.raises(UsageError) as caught:
        load(Flags(), {}, tmp_path)
    told = (caught.value.details or "").splitlines()
    for fault, line in zip(faults, told, strict=False):
        assert line.startswith(f"gpupipe.toml:{fault}")
    assert len(told) >= len(faults)


def test_of_very_many_faults_the_first_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        config(tmp_path, "notification_channels = [\n" + "  0,\n" * 300 + "]")
    told = (caught.value.details or "").splitlines()
    assert told[49].startswith("gpupipe.toml:51: notification_channels.49 = 0")
    assert told[50:] == ["and 250 more"]


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


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("GPUPIPE_TARGET", "gcp", "GPUPIPE_TARGET: target = 'gcp': it takes"),
        ("REGION", "LOCAL", "REGION: region = 'LOCAL': it takes a region"),
        ("GPUPIPE_QUEUE_WAIT", "soon", "GPUPIPE_QUEUE_WAIT: queue_wait = 'soon': it takes a whole"),
        ("GPUPIPE_QUEUE_WAIT", "9" * 5000, "GPUPIPE_QUEUE_WAIT: queue_wait = '9999"),
        ("GPUPIPE_LABELS", "team", "GPUPIPE_LABELS: labels = 'team': it takes up to 32"),
        (
            "GPUPIPE_DELETION_PROTECTION",
            "1",
            "GPUPIPE_DELETION_PROTECTION: deletion_protection = '1'",
        ),
        (
            "GPUPIPE_GPU_INFERENCE_CPU",
            "2",
            "GPUPIPE_GPU_INFERENCE_CPU: gpu_inference: an nvidia-l4",
        ),
        (
            "GPUPIPE_QUEUE_WAIY",
            "60",
            "GPUPIPE_QUEUE_WAIY: no such variable; did you mean GPUPIPE_QUEUE_WAIT?",
        ),
    ],
)
def test_a_value_of_the_environment_is_checked_and_the_variable_named(
    tmp_path: Path, variable: str, value: str, words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        config(tmp_path, environment={variable: value})
    assert (caught.value.details or "").startswith(words)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (
            "gpu_inference.memory=1Gi",
            "--set gpu_inference.memory: gpu_inference: 4 CPU need at least",
        ),
        ("queue_wait=1", "--set queue_wait: queue_wait = 1: it takes a whole number"),
        ("queue_wait", "--set queue_wait: give an option and its value"),
        ("gpu_inference.memroy=1Gi", "no such option; did you mean gpu_inference.memory?"),
    ],
)
def test_a_value_of_the_command_line_is_checked_and_the_flag_named(
    tmp_path: Path, setting: str, words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        config(tmp_path, flags=Flags(settings=(setting,)))
    assert words in f"{caught.value.brief} {caught.value.details}"


def test_values_of_variables_and_flags_have_the_types_of_the_file(tmp_path: Path) -> None:
    environment = {
        "GPUPIPE_LABELS": "team=blue, cost=low",
        "GPUPIPE_DELETION_PROTECTION": "True",
        "GPUPIPE_GPU_INFERENCE_CPU": "8",
        "GPUPIPE_QUEUE_WAIT": "600",
    }
    flags = Flags(settings=("queue_wait=700", "buckets.output.name=my-results"))
    found = config(tmp_path, "queue_wait = 60\n[gpu_inference]\ncpu = 4", environment, flags)
    assert found.options.labels == {"team": "blue", "cost": "low"}
    assert found.options.deletion_protection is True
    assert (found.options.gpu_inference.cpu, found.options.queue_wait) == ("8", 700)
    assert found.source("gpu_inference.cpu") == "GPUPIPE_GPU_INFERENCE_CPU"
    assert found.source("queue_wait") == "flag"
    assert found.names("demo-project").bucket("output") == "my-results"
    assert found.names("demo-project").bucket("input") == "ml-pipeline-input-demo-project"


@pytest.mark.promise(53, 64, "S2")
def test_a_zone_is_taken_with_a_notice(tmp_path: Path) -> None:
    (notice,) = config(tmp_path, environment={"ZONE": "us-central1-a"}).notices
    assert notice.startswith("ZONE has no effect: ")


def test_the_sizes_of_the_file_are_kept(tmp_path: Path) -> None:
    found = config(
        tmp_path,
        '[gpu_inference]\ncpu = "8"\nmemory = "32Gi"\nmax_instances = 3\ntimeout = 600\n',
    )
    size = found.options.gpu_inference
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
