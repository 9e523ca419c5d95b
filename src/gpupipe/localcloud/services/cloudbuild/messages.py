"""The raw protobuf classes and numbers of cloudbuild_v1 that the handlers work on."""

from google.cloud.devtools import cloudbuild_v1 as pb

from gpupipe.localcloud.transport.rows import raw

Build = raw(pb.Build)
BuildStep = raw(pb.BuildStep)
BuiltImage = raw(pb.BuiltImage)
TimeSpan = raw(pb.TimeSpan)
Metadata = raw(pb.BuildOperationMetadata)
ListBuildsResponse = raw(pb.ListBuildsResponse)

QUEUED = int(pb.Build.Status.QUEUED)
WORKING = int(pb.Build.Status.WORKING)
SUCCESS = int(pb.Build.Status.SUCCESS)
FAILURE = int(pb.Build.Status.FAILURE)
INTERNAL_ERROR = int(pb.Build.Status.INTERNAL_ERROR)
TIMEOUT = int(pb.Build.Status.TIMEOUT)
CANCELLED = int(pb.Build.Status.CANCELLED)
EXPIRED = int(pb.Build.Status.EXPIRED)
RUNNING = frozenset({int(pb.Build.Status.PENDING), QUEUED, WORKING})
STATUS_NAMES = {int(status): status.name for status in list(pb.Build.Status)}

_Failure = pb.Build.FailureInfo.FailureType
PUSH_FAILED = int(_Failure.PUSH_FAILED)
PUSH_IMAGE_NOT_FOUND = int(_Failure.PUSH_IMAGE_NOT_FOUND)
PUSH_NOT_AUTHORIZED = int(_Failure.PUSH_NOT_AUTHORIZED)
USER_BUILD_STEP = int(_Failure.USER_BUILD_STEP)
FETCH_SOURCE_FAILED = int(_Failure.FETCH_SOURCE_FAILED)

CLOUD_LOGGING_ONLY = int(pb.BuildOptions.LoggingMode.CLOUD_LOGGING_ONLY)
NO_LOGGING = int(pb.BuildOptions.LoggingMode.NONE)
WARNING = int(pb.Build.Warning.Priority.WARNING)
