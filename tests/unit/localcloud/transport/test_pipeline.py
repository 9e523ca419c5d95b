import pytest

from gpupipe.localcloud.errors import Code, ServiceError, not_found
from gpupipe.localcloud.kernel.audit import Audited, Target
from gpupipe.localcloud.kernel.caller import Caller
from gpupipe.localcloud.kernel.faults import Fault, Kind
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.request_log import RequestLog

RUN = "run.googleapis.com"
SERVICE = "projects/demo-project/locations/us-central1/services/one"


@pytest.fixture
def pipeline(kernel: Kernel) -> Pipeline:
    return Pipeline(kernel, RequestLog(kernel.log_database))


@pytest.fixture
def operator(kernel: Kernel) -> dict[str, str]:
    return {"authorization": f"Bearer {kernel.identity.operator_token}"}


@pytest.fixture
def account(kernel: Kernel) -> dict[str, str]:
    email = kernel.identity.create_account("demo-project", "someone").email
    return {"authorization": f"Bearer {kernel.identity.access_token(email)[0]}"}


def refusal(pipeline: Pipeline, headers: dict[str, str], **row: str) -> ServiceError:
    with pytest.raises(ServiceError) as refused, pipeline.guard(headers, method="m", **row):  # type: ignore[arg-type] # the rows here are texts
        pytest.fail("the handler ran")
    return refused.value


def codes(pipeline: Pipeline) -> list[str]:
    return [row.code for row in pipeline.log.since(0)]


def test_a_call_is_handed_its_caller_and_logged(
    pipeline: Pipeline, operator: dict[str, str]
) -> None:
    with pipeline.guard(operator, method="m", resource=SERVICE, writes=True) as call:
        assert call.caller.is_operator
    (row,) = pipeline.log.since(0)
    assert (row.method, row.caller, row.resource, row.code, row.writes) == (
        "m",
        "user:operator@gpupipe.local",
        SERVICE,
        "OK",
        True,
    )
    assert pipeline.log.since(row.seq) == ()
    assert pipeline.log.latest() == row.seq


@pytest.mark.parametrize("header", [None, "Bearer x", "Basic x"])
def test_nobody_gets_in_without_a_token_and_that_is_logged(
    pipeline: Pipeline, header: str | None
) -> None:
    headers = {} if header is None else {"authorization": header}
    assert refusal(pipeline, headers).code is Code.UNAUTHENTICATED
    assert codes(pipeline) == ["UNAUTHENTICATED"]


def test_a_disabled_api_is_refused_before_the_permission(
    kernel: Kernel, pipeline: Pipeline, account: dict[str, str]
) -> None:
    row = {"api": RUN, "permission": "run.services.get", "resource": SERVICE}
    error = refusal(pipeline, account, **row)
    project = kernel.projects.ensure("demo-project")
    assert error.code is Code.PERMISSION_DENIED
    assert error.details.reason == "SERVICE_DISABLED"
    assert error.details.metadata["service"] == RUN
    assert error.details.metadata["consumer"] == f"projects/{project.number}"
    assert f"{RUN} API has not been used in project demo-project before" in error.message
    kernel.projects.set_enabled("demo-project", RUN, enabled=True)
    assert refusal(pipeline, account, **row).details.reason == "IAM_PERMISSION_DENIED"
    kernel.policies.grant(
        "projects/demo-project",
        "roles/run.viewer",
        "serviceAccount:someone@demo-project.iam.gserviceaccount.com",
    )
    with pipeline.guard(account, method="m", **row):  # type: ignore[arg-type] # texts
        pass


def test_the_operators_first_call_makes_a_project_and_nobody_elses_does(
    kernel: Kernel, pipeline: Pipeline, operator: dict[str, str], account: dict[str, str]
) -> None:
    row = {"permission": "resourcemanager.projects.get", "resource": "projects/brand-new"}
    assert refusal(pipeline, account, **row).code is Code.PERMISSION_DENIED
    assert kernel.projects.get("brand-new") is None
    with pipeline.guard(operator, method="m", **row):  # type: ignore[arg-type] # texts
        assert kernel.projects.get("brand-new") is not None


def test_bad_project_ids_make_no_project(
    kernel: Kernel, pipeline: Pipeline, operator: dict[str, str]
) -> None:
    before = kernel.projects.all()
    for name in ("projects/x", "projects/-/locations/l", "projects/123456789012", "operations/1"):
        with pipeline.guard(operator, method="m", resource=name):
            pass
    assert kernel.projects.all() == before


def test_errors_of_the_handler_are_logged_with_their_code(
    pipeline: Pipeline, operator: dict[str, str]
) -> None:
    with pytest.raises(ServiceError), pipeline.guard(operator, method="m"):
        raise not_found("no")
    with pytest.raises(KeyError), pipeline.guard(operator, method="m"):
        raise KeyError
    assert codes(pipeline) == ["NOT_FOUND", "INTERNAL"]


def test_an_error_that_nobody_foresaw_is_none_that_the_audit_logs_call_done(
    pipeline: Pipeline, kernel: Kernel, operator: dict[str, str]
) -> None:
    kernel.projects.set_enabled(kernel.projects.ensure("demo-project").id, RUN, enabled=True)
    call = Audited("run.services.update", "UpdateService", lambda: Target(SERVICE))
    with (
        pytest.raises(KeyError),
        pipeline.guard(operator, method="m", api=RUN, resource=SERVICE, audited=call),
    ):
        raise KeyError("what a file holds")
    (entry,) = kernel.logs.query("demo-project")
    assert isinstance(entry.payload, dict)
    assert entry.severity == "ERROR"
    assert entry.payload["status"] == {"code": 13, "message": "Internal error of the local cloud."}


@pytest.mark.parametrize(("kind", "done"), [(Kind.ERROR, 0), (Kind.LOST, 2)])
def test_faults_fail_so_many_calls_before_or_after_the_work(
    kernel: Kernel, pipeline: Pipeline, operator: dict[str, str], kind: Kind, done: int
) -> None:
    kernel.faults.inject(Fault("m", kind, 2, Code.UNAVAILABLE))
    worked = 0
    for _ in range(2):
        with pytest.raises(ServiceError) as failed, pipeline.guard(operator, method="m"):
            worked += 1
        assert failed.value.code is Code.UNAVAILABLE
    assert worked == done
    with pipeline.guard(operator, method="m"), pipeline.guard(operator, method="other"):
        pass
    (fault,) = kernel.faults.account()
    assert (fault.consumed, fault.left) == (2, 0)


def test_a_surface_with_its_own_way_to_authenticate_names_the_caller(pipeline: Pipeline) -> None:
    someone = Caller("serviceAccount:a@b.iam.gserviceaccount.com")
    with pipeline.guard({}, method="run.invoke", caller=someone) as call:
        assert call.caller == someone
