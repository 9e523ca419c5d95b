"""Long-running operations and errors, through an official client, over a service of the test's own.

The service speaks two methods of Cloud Run; what is under test is the frame around it.
"""

import threading
from collections.abc import Iterable

import grpc
import pytest
from google.api_core import exceptions
from google.cloud import run_v2
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf.message import Message
from tests.support.localcloud import CloudFactory, RunningCloud

from gpupipe.localcloud.errors import Code, Details, FieldViolation, ServiceError
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.operations import Progress
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rpc import BaseSurface, Call, Rpc

PARENT = "projects/gpupipe-local/locations/us-central1"
Service = run_v2.Service.pb()
CREATE = "/google.cloud.run.v2.Services/CreateService"
GET = "/google.cloud.run.v2.Services/GetService"


class Bench(BaseSurface):
    """CreateService runs until `go_on`; the service id says how it ends. GetService fails."""

    def __init__(self, kernel: Kernel, _: Pipeline) -> None:
        self._kernel = kernel
        self.go_on = threading.Event()

    def rpcs(self) -> Iterable[Rpc]:
        yield Rpc(
            CREATE,
            run_v2.CreateServiceRequest.pb(),
            operations_pb2.Operation,
            self._create,
            "run.googleapis.com",
            "run.services.create",
            lambda request: str(request.parent),
            writes=True,
        )
        yield Rpc(
            GET,
            run_v2.GetServiceRequest.pb(),
            Service,
            self._get,
            "run.googleapis.com",
            "run.services.get",
            lambda request: str(request.name),
            writes=False,
        )

    def _create(self, request: Message, _: Call) -> Message:
        kind = str(request.service_id)  # type: ignore[attr-defined] # the row's own type
        name = f"{PARENT}/services/{kind}"
        service: Message = Service(name=name)

        def work(progress: Progress) -> Message:
            progress.update(Service(name=name, reconciling=True))
            while not self.go_on.wait(0.01):
                if progress.cancelled():
                    raise ServiceError(Code.CANCELLED, "cancelled")
            if kind == "refused":
                raise ServiceError(Code.FAILED_PRECONDITION, "the image is missing")
            return service

        operation: Message = self._kernel.operations.run(
            f"{PARENT}/operations/{kind}", metadata=service, work=work, resource=name
        )
        return operation

    def _get(self, request: Message, _: Call) -> Message:
        name = str(request.name)  # type: ignore[attr-defined] # the row's own type
        if name.endswith("crash"):
            raise KeyError("a secret")
        raise ServiceError(
            Code.INVALID_ARGUMENT,
            "bad name",
            Details(
                reason="BAD",
                domain="run.googleapis.com",
                metadata={"name": name},
                fields=(FieldViolation("name", "bad"),),
                retry_after_s=2,
            ),
        )


@pytest.fixture
def bench() -> list[Bench]:
    return []


@pytest.fixture
def cloud(local_cloud_factory: CloudFactory, bench: list[Bench]) -> RunningCloud:
    def build(kernel: Kernel, pipeline: Pipeline) -> Bench:
        bench.append(Bench(kernel, pipeline))
        return bench[0]

    running = local_cloud_factory(services=(build,))
    running.enable("run.googleapis.com")
    return running


def create(cloud: RunningCloud, service_id: str = "one") -> object:
    client = cloud.client(run_v2.ServicesClient)
    template = run_v2.RevisionTemplate(containers=[run_v2.Container(image="any")])
    service = run_v2.Service(template=template)
    return client.create_service(
        parent=PARENT, service=service, service_id=service_id, retry=None, timeout=10
    )


def operations(cloud: RunningCloud, token: str | None = None) -> operations_pb2_grpc.OperationsStub:
    return operations_pb2_grpc.OperationsStub(cloud.grpc_channel(token))


def test_a_client_waits_for_the_result(cloud: RunningCloud, bench: list[Bench]) -> None:
    future = create(cloud)
    assert not future.done()  # type: ignore[attr-defined] # an api_core Operation
    bench[0].go_on.set()
    assert future.result(timeout=10).name == f"{PARENT}/services/one"  # type: ignore[attr-defined] # same


def test_an_error_inside_is_raised_with_its_code(cloud: RunningCloud, bench: list[Bench]) -> None:
    bench[0].go_on.set()
    with pytest.raises(exceptions.GoogleAPICallError) as refused:
        create(cloud, "refused").result(timeout=10)  # type: ignore[attr-defined] # an api_core Operation
    assert "the image is missing" in str(refused.value)


def test_get_list_wait_cancel_delete(cloud: RunningCloud) -> None:
    create(cloud, "one")
    create(cloud, "two")
    stub = operations(cloud)
    name = f"{PARENT}/operations/one"
    assert not stub.GetOperation(operations_pb2.GetOperationRequest(name=name)).done
    listed = stub.ListOperations(operations_pb2.ListOperationsRequest(name=PARENT))
    assert [o.name for o in listed.operations] == [name, f"{PARENT}/operations/two"]
    with pytest.raises(grpc.RpcError) as refused:
        stub.DeleteOperation(operations_pb2.DeleteOperationRequest(name=name))
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    stub.CancelOperation(operations_pb2.CancelOperationRequest(name=name))
    ended = stub.WaitOperation(operations_pb2.WaitOperationRequest(name=name))
    assert ended.error.code == Code.CANCELLED.number
    stub.DeleteOperation(operations_pb2.DeleteOperationRequest(name=name))
    with pytest.raises(grpc.RpcError) as refused:
        stub.GetOperation(operations_pb2.GetOperationRequest(name=name))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_others_see_an_operation_only_with_the_permission(cloud: RunningCloud) -> None:
    create(cloud)
    token = cloud.account_token("someone")
    request = operations_pb2.GetOperationRequest(name=f"{PARENT}/operations/one")
    with pytest.raises(grpc.RpcError) as refused:
        operations(cloud, token).GetOperation(request)
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    member = f"serviceAccount:someone@{cloud.project}.iam.gserviceaccount.com"
    cloud.kernel.policies.grant(f"projects/{cloud.project}", "roles/run.viewer", member)
    assert operations(cloud, token).GetOperation(request).name == request.name


def test_what_was_running_is_aborted_after_a_restart(
    cloud: RunningCloud, local_cloud_factory: CloudFactory
) -> None:
    create(cloud)
    cloud.stop()
    again = local_cloud_factory(home=cloud.home, services=())
    request = operations_pb2.GetOperationRequest(name=f"{PARENT}/operations/one")
    operation = operations(again).GetOperation(request)
    assert operation.done
    assert operation.error.code == Code.ABORTED.number


def refused(cloud: RunningCloud, name: str) -> exceptions.GoogleAPICallError:
    with pytest.raises(exceptions.GoogleAPICallError) as caught:
        cloud.client(run_v2.ServicesClient).get_service(name=name, retry=None, timeout=10)
    error = caught.value
    assert isinstance(error, exceptions.GoogleAPICallError)
    return error


def test_details_arrive_in_the_clients_exception(cloud: RunningCloud) -> None:
    name = f"{PARENT}/services/one"
    error = refused(cloud, name)
    assert isinstance(error, exceptions.InvalidArgument)
    assert (error.reason, error.domain, error.metadata) == (
        "BAD",
        "run.googleapis.com",
        {"name": name},
    )
    assert {type(detail).__name__ for detail in error.details} == {
        "ErrorInfo",
        "BadRequest",
        "RetryInfo",
    }


def test_an_unforeseen_error_has_a_log_id_and_no_more(
    cloud: RunningCloud, caplog: pytest.LogCaptureFixture
) -> None:
    error = refused(cloud, f"{PARENT}/services/crash")
    assert isinstance(error, exceptions.InternalServerError)
    assert "secret" not in error.message
    log_id = error.message.rpartition(" ")[2].rstrip(".")
    assert any(log_id in record.getMessage() for record in caplog.records)


def test_an_unwritten_method_is_refused_by_name(cloud: RunningCloud) -> None:
    client = cloud.client(run_v2.JobsClient)
    with pytest.raises(exceptions.MethodNotImplemented) as caught:
        client.get_job(name=f"{PARENT}/jobs/one", retry=None, timeout=10)
    assert "google.cloud.run.v2.Jobs/GetJob" in str(caught.value)


def test_a_disabled_api_says_so(cloud: RunningCloud) -> None:
    cloud.kernel.projects.set_enabled(cloud.project, "run.googleapis.com", enabled=False)
    error = refused(cloud, f"{PARENT}/services/one")
    assert isinstance(error, exceptions.PermissionDenied)
    assert error.reason == "SERVICE_DISABLED"


@pytest.mark.parametrize(("kind", "made"), [("error", 0), ("lost", 1)])
def test_injected_faults_are_consumed_and_accounted_for(
    cloud: RunningCloud, bench: list[Bench], kind: str, made: int
) -> None:
    bench[0].go_on.set()
    cloud.inject("run.services.create", "UNAVAILABLE", kind=kind)
    with pytest.raises(exceptions.ServiceUnavailable):
        create(cloud)
    listed = operations(cloud).ListOperations(operations_pb2.ListOperationsRequest(name=PARENT))
    assert len(listed.operations) == made
    with cloud.http_client() as http:
        (fault,) = http.get("/control/faults").json()["faults"]
    assert (fault["consumed"], fault["left"], fault["kind"]) == (1, 0, kind)
    create(cloud, "two")


def test_the_request_log_has_every_call_once_and_in_order(
    cloud: RunningCloud, bench: list[Bench]
) -> None:
    bench[0].go_on.set()
    since = cloud.requests()[-1]["seq"] if cloud.requests() else 0
    create(cloud)
    refused(cloud, f"{PARENT}/services/one")
    rows = [row for row in cloud.requests(since) if not row["method"].startswith("control.")]
    assert [(row["method"], row["code"], row["writes"]) for row in rows] == [
        ("run.services.create", "OK", True),
        ("run.services.get", "INVALID_ARGUMENT", False),
    ]
    assert rows[0]["resource"] == PARENT
    assert rows[0]["caller"] == "user:operator@gpupipe.local"
    assert [row["seq"] for row in rows] == sorted(row["seq"] for row in rows)


def test_two_services_may_not_offer_one_method(local_cloud_factory: CloudFactory) -> None:
    with pytest.raises(ValueError, match="two services offer"):
        local_cloud_factory(services=(Bench, Bench))
