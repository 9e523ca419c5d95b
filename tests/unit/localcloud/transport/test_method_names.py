"""Short names of methods, for the log and for faults."""

import pytest

from gpupipe.localcloud.transport.method_names import method_name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/google.cloud.run.v2.Services/CreateService", "run.services.create"),
        ("/google.cloud.run.v2.Services/GetIamPolicy", "run.services.getIamPolicy"),
        ("/google.cloud.run.v2.Revisions/ListRevisions", "run.revisions.list"),
        (
            "/google.devtools.artifactregistry.v1.ArtifactRegistry/ListRepositories",
            "artifactregistry.repositories.list",
        ),
        (
            "/google.api.serviceusage.v1.ServiceUsage/BatchEnableServices",
            "serviceusage.services.batchEnable",
        ),
        ("/google.iam.admin.v1.IAM/PatchServiceAccount", "iam.serviceAccounts.patch"),
        (
            "/google.iam.credentials.v1.IAMCredentials/GenerateIdToken",
            "iamcredentials.serviceAccounts.generateIdToken",
        ),
        ("/google.logging.v2.LoggingServiceV2/WriteLogEntries", "logging.logEntries.write"),
        ("/google.longrunning.Operations/GetOperation", "longrunning.operations.get"),
        ("/google.cloud.run.v2.Jobs/GetJob", "google.cloud.run.v2.Jobs/GetJob"),
    ],
)
def test_a_method_has_the_name_that_googles_logs_give_it(path: str, name: str) -> None:
    assert method_name(path) == name
