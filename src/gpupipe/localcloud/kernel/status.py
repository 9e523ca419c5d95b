"""A refusal as google.rpc.Status with its typed details, as gRPC and operations carry it."""

from collections.abc import Iterator

from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from gpupipe.localcloud.errors import Details, ServiceError


def status_of(error: ServiceError) -> status_pb2.Status:
    """The status: code, message, and one detail message for each kind that is set."""
    status = status_pb2.Status(code=error.code.number, message=error.message)
    for detail in _details(error.details):
        status.details.add().Pack(detail)
    return status


def _details(details: Details) -> Iterator[Message]:
    if details.reason is not None:
        yield error_details_pb2.ErrorInfo(
            reason=details.reason, domain=details.domain, metadata=dict(details.metadata)
        )
    if details.fields:
        yield error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(
                    field=item.path, description=item.description
                )
                for item in details.fields
            ]
        )
    yield from _states(details)
    if details.retry_after_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(round(details.retry_after_s * 1e9))
        yield retry
    if details.help_links:
        yield error_details_pb2.Help(
            links=[
                error_details_pb2.Help.Link(description=text, url=url)
                for text, url in details.help_links
            ]
        )


def _states(details: Details) -> Iterator[Message]:
    if details.preconditions:
        yield error_details_pb2.PreconditionFailure(
            violations=[
                error_details_pb2.PreconditionFailure.Violation(
                    type=item.kind, subject=item.subject, description=item.description
                )
                for item in details.preconditions
            ]
        )
    if details.quotas:
        yield error_details_pb2.QuotaFailure(
            violations=[
                error_details_pb2.QuotaFailure.Violation(
                    subject=item.subject, description=item.description
                )
                for item in details.quotas
            ]
        )
