"""The raw protobuf classes of run_v2 that the handlers work on (never the proto-plus wrappers)."""

from typing import Any

from google.cloud import run_v2


def raw(wrapper: Any) -> Any:
    """The protobuf class behind a proto-plus class."""
    return type(wrapper.pb(wrapper()))


Service = raw(run_v2.Service)
Revision = raw(run_v2.Revision)
RevisionTemplate = raw(run_v2.RevisionTemplate)
Condition = raw(run_v2.Condition)
TrafficTarget = raw(run_v2.TrafficTarget)
TrafficTargetStatus = raw(run_v2.TrafficTargetStatus)
CreateServiceRequest = raw(run_v2.CreateServiceRequest)
GetServiceRequest = raw(run_v2.GetServiceRequest)
ListServicesRequest = raw(run_v2.ListServicesRequest)
ListServicesResponse = raw(run_v2.ListServicesResponse)
UpdateServiceRequest = raw(run_v2.UpdateServiceRequest)
DeleteServiceRequest = raw(run_v2.DeleteServiceRequest)
GetRevisionRequest = raw(run_v2.GetRevisionRequest)
ListRevisionsRequest = raw(run_v2.ListRevisionsRequest)
ListRevisionsResponse = raw(run_v2.ListRevisionsResponse)
DeleteRevisionRequest = raw(run_v2.DeleteRevisionRequest)

LATEST = int(run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST)
REVISION = int(run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION)
INGRESS_ALL = int(run_v2.IngressTraffic.INGRESS_TRAFFIC_ALL)
INGRESS_INTERNAL = int(run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_ONLY)
INGRESS_BALANCER = int(run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER)
INGRESS_NONE = int(run_v2.IngressTraffic.INGRESS_TRAFFIC_NONE)
INGRESSES = frozenset({INGRESS_ALL, INGRESS_INTERNAL, INGRESS_BALANCER, INGRESS_NONE})
GEN1 = int(run_v2.ExecutionEnvironment.EXECUTION_ENVIRONMENT_GEN1)
GEN2 = int(run_v2.ExecutionEnvironment.EXECUTION_ENVIRONMENT_GEN2)
MANUAL = int(run_v2.ServiceScaling.ScalingMode.MANUAL)
GA = 4  # google.api.LaunchStage
LAUNCH_STAGES = frozenset({2, 3, GA})  # ALPHA, BETA, GA: the ones that Cloud Run supports
PENDING = int(run_v2.Condition.State.CONDITION_PENDING)
FAILED = int(run_v2.Condition.State.CONDITION_FAILED)
SUCCEEDED = int(run_v2.Condition.State.CONDITION_SUCCEEDED)
REVISION_FAILED = int(run_v2.Condition.CommonReason.REVISION_FAILED)
CONTAINER_MISSING = int(run_v2.Condition.CommonReason.CONTAINER_MISSING)
CONTAINER_DENIED = int(run_v2.Condition.CommonReason.CONTAINER_PERMISSION_DENIED)
HEALTH_CHECK_ERROR = int(run_v2.Condition.RevisionReason.HEALTH_CHECK_CONTAINER_ERROR)
RETIRED = int(run_v2.Condition.RevisionReason.RETIRED)
