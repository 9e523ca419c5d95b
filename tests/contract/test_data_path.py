"""Files of every kind through a deployed pipeline: one outcome each, in the published shape."""

import io
import json
from typing import Any

import pytest
from google.iam.v1 import policy_pb2
from PIL import Image
from tests.support.pipeline import Deployer, QuickPipeline
from tests.support.schemas import checker
from tests.support.waiting import until

from gpupipe.cloud.cloud import Cloud
from gpupipe.deploy.logs import Selection, newest
from gpupipe.deploy.spec import AUDITED

RESULT, ERROR = checker("result.v1"), checker("error.v1")
ITEM = checker("result.v1", "item")
GOOD, BAD = "This is wonderful, I love it!", "Terrible. I hate this broken thing."


@pytest.fixture(scope="module")
def pipeline(quick_pipeline: QuickPipeline) -> Deployer:
    # Whatever came before: the tests of the operator's roles end with a destroy.
    quick_pipeline.deployer.deploy(canary=False)
    return quick_pipeline.operator


def outcomes(pipeline: Deployer, files: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    """The one object that each file left behind, with its `kind`, by the file's name."""
    cloud, names = pipeline.connect(), pipeline.spec.names
    bucket = names.bucket("output")
    sent = {}
    for name, data in files.items():
        done = cloud.storage.upload(names.bucket("input"), name, data, content_type="text/plain")
        sent[name] = [f"{kind}/{name}.{done.generation}.json" for kind in ("results", "errors")]
    return {name: one_of(cloud, bucket, places, pipeline) for name, places in sent.items()}


def one_of(cloud: Cloud, bucket: str, places: list[str], pipeline: Deployer) -> dict[str, Any]:
    deadline = pipeline.clock.monotonic() + 6000  # five real minutes
    while pipeline.clock.monotonic() < deadline:
        there = [place for place in places if cloud.storage.stat(bucket, place) is not None]
        if there:
            assert len(there) == 1
            return {
                "kind": there[0].partition("/")[0],
                **json.loads(cloud.storage.read(bucket, there[0]) or b""),
            }
        pipeline.clock.sleep(5)
    raise AssertionError(f"no outcome for {places}")


@pytest.mark.promise(123)
def test_who_used_the_data_of_a_file_is_told_where_that_is_logged(pipeline: Deployer) -> None:
    names, policies = pipeline.spec.names, pipeline.cloud.kernel.policies
    before = policies.get(f"projects/{names.project}")
    wanted = policy_pb2.Policy()
    for service, kind in AUDITED:
        wanted.audit_configs.add(service=service).audit_log_configs.add(log_type=kind)
    policies.put(f"projects/{names.project}", merged(before, wanted))
    get, create = "storage.objects.get", "storage.objects.create"
    expected = {
        (names.account("eventarc"), "Executions.CreateExecution", names.workflow),
        (names.account("pre"), get, names.bucket("input")),
        (names.account("pre"), create, names.bucket("work")),
        (names.account("infer"), get, names.bucket("work")),
        (names.account("post"), create, names.bucket("output")),
    }
    try:
        outcomes(pipeline, {"audited.txt": GOOD.encode()})
        # An object is there a moment before its entry is.
        until(lambda: used(pipeline) >= expected)
    finally:
        policies.put(f"projects/{names.project}", before)


def used(pipeline: Deployer) -> set[tuple[str, str, str]]:
    """Who did what with what, as the Data Access log has it."""
    lines = newest(pipeline.connect(), pipeline.spec, Selection(sources=("audit",)))
    return {
        (str(line.entry.fields["authenticationInfo"]["principalEmail"]),
         str(line.entry.fields["methodName"]).rpartition("v1.")[2],
         str(line.entry.fields["resourceName"]).partition("/objects/")[0].rpartition("/")[2])
        for line in lines
        if line.entry.log.endswith("data_access")
    }  # fmt: skip


def merged(bindings: policy_pb2.Policy, audits: policy_pb2.Policy) -> policy_pb2.Policy:
    both = policy_pb2.Policy(bindings=bindings.bindings)
    both.audit_configs.extend(audits.audit_configs)
    return both


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (30, 30), "red").save(out, "PNG")
    return out.getvalue()


@pytest.mark.promise("S75")
@pytest.mark.promise("S77")
@pytest.mark.promise("D5")
def test_files_of_every_kind_have_one_outcome_in_the_published_shape(pipeline: Deployer) -> None:
    rows = [f'{number},"{GOOD if number % 2 else BAD}"' for number in range(20)]
    many = "\n".join(["text", *(f"fine {number}" for number in range(1100))])
    found = outcomes(
        pipeline,
        {
            "a.csv": "\n".join(["id,text", *rows[:5], "only one cell", "9,", *rows[5:]]).encode(),
            "a.json": json.dumps([GOOD, {"text": BAD, "id": "mine"}, 5]).encode(),
            "a.jsonl": f'{{"text": "{GOOD}"}}\nbroken\n"{BAD}"\n'.encode(),
            "many.csv": many.encode(),
            "a.md": f"\ufeff# {GOOD}".encode(),
            "broken.csv": b'text\n"a\n',
            "blank.jsonl": b'""\nnull\n',
            "latin.txt": b"caf\xe9",
            "picture.png": picture(),
            "not.jpg": b"a text",
        },
    )
    for document in found.values():
        kind = document.pop("kind")
        (RESULT if kind == "results" else ERROR)(document)
    by_name = {name: one.get("summary") or one["error"]["code"] for name, one in found.items()}
    assert by_name["broken.csv"] == "broken_csv"
    assert by_name["blank.jsonl"] == "no_usable_item"
    assert by_name["latin.txt"] == "undecodable_text"
    assert by_name["picture.png"] == "not_the_models_kind"
    assert by_name["not.jpg"] == "not_an_image"
    assert found["picture.png"]["stage"] == "inference"
    assert all(found[name]["class"] == "input" for name, one in by_name.items() if one == str(one))
    items = found["a.csv"]["items"]
    assert [item["row"] for item in items] == list(range(2, 24))
    assert [item["id"] for item in items][:7] == ["0", "1", "2", "3", "4", "5", "9"]
    assert [item.get("label") for item in items[4:9]] == [
        "negative", None, None, "positive", "negative"
    ]  # fmt: skip
    assert [item["id"] for item in found["a.json"]["items"]] == ["0", "mine", "2"]
    assert by_name["a.jsonl"]["by_label"] == {"negative": 1, "positive": 1}
    beside = found["many.csv"]["items_object"]
    assert found["many.csv"]["items"] == []
    lines = (pipeline.connect().storage.read(beside["bucket"], beside["name"]) or b"").split(b"\n")
    listed = [json.loads(line) for line in lines if line]
    assert [item["id"] for item in listed] == [str(number) for number in range(1100)]
    for item in listed[:3]:
        ITEM(item)
