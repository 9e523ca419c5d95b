"""Names that Knative's objects use for what version 2 has fields for."""

API_VERSION = "serving.knative.dev/v1"
OWN = "run.googleapis.com"
SERVING = "serving.knative.dev"
SCALING = "autoscaling.knative.dev"
LOCATION_LABEL = "cloud.googleapis.com/location"
SERVICE_LABEL = f"{SERVING}/service"
ACCELERATOR = f"{OWN}/accelerator"
CREATOR, MODIFIER = f"{SERVING}/creator", f"{SERVING}/lastModifier"
CLIENT, CLIENT_VERSION = f"{OWN}/client-name", f"{OWN}/client-version"
DESCRIPTION, LAUNCH_STAGE = f"{OWN}/description", f"{OWN}/launch-stage"
INGRESS, INGRESS_STATUS = f"{OWN}/ingress", f"{OWN}/ingress-status"
OPERATION, URLS = f"{OWN}/operation-id", f"{OWN}/urls"
SERVICE_MAX = f"{OWN}/maxScale"
MIN, MAX = f"{SCALING}/minScale", f"{SCALING}/maxScale"
THROTTLING, BOOST = f"{OWN}/cpu-throttling", f"{OWN}/startup-cpu-boost"
ENVIRONMENT = f"{OWN}/execution-environment"
NO_REDUNDANCY = f"{OWN}/gpu-zonal-redundancy-disabled"
INGRESSES = {
    "all": "INGRESS_TRAFFIC_ALL",
    "internal": "INGRESS_TRAFFIC_INTERNAL_ONLY",
    "internal-and-cloud-load-balancing": "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
}
ENVIRONMENTS = {"gen1": "EXECUTION_ENVIRONMENT_GEN1", "gen2": "EXECUTION_ENVIRONMENT_GEN2"}
LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
