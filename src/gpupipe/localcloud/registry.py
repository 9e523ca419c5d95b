"""The table of emulated APIs. To add one: its import and its line in `SERVICES`.

Each entry is a factory `surface(kernel, pipeline)` that wires one API and gives its `Surface`
(`transport.rpc.BaseSurface` has the defaults). Nothing is discovered: what is not here is answered
as not emulated. The pattern:

    from gpupipe.localcloud.services.storage import surface as storage

    SERVICES = (
        storage.build,
    )
"""

from collections.abc import Callable

from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.services.artifactregistry import surface as artifactregistry
from gpupipe.localcloud.services.billingbudgets import surface as billingbudgets
from gpupipe.localcloud.services.cloudbilling import surface as cloudbilling
from gpupipe.localcloud.services.cloudbuild import surface as cloudbuild
from gpupipe.localcloud.services.cloudkms import surface as cloudkms
from gpupipe.localcloud.services.cloudquotas import surface as cloudquotas
from gpupipe.localcloud.services.eventarc import surface as eventarc
from gpupipe.localcloud.services.executions import surface as executions
from gpupipe.localcloud.services.iam import surface as iam
from gpupipe.localcloud.services.iamcredentials import surface as iamcredentials
from gpupipe.localcloud.services.logging import surface as logging
from gpupipe.localcloud.services.monitoring import surface as monitoring
from gpupipe.localcloud.services.orgpolicy import surface as orgpolicy
from gpupipe.localcloud.services.pubsub import surface as pubsub
from gpupipe.localcloud.services.resourcemanager import surface as resourcemanager
from gpupipe.localcloud.services.run import surface as run
from gpupipe.localcloud.services.serviceusage import surface as serviceusage
from gpupipe.localcloud.services.storage import surface as storage
from gpupipe.localcloud.services.workflows import surface as workflows
from gpupipe.localcloud.transport.pipeline import Pipeline
from gpupipe.localcloud.transport.rpc import Surface

Factory = Callable[[Kernel, Pipeline], Surface]

SERVICES: tuple[Factory, ...] = (
    artifactregistry.build,
    billingbudgets.build,
    cloudbilling.build,
    cloudbuild.build,
    cloudkms.build,
    cloudquotas.build,
    eventarc.build,
    executions.build,
    iam.build,
    iamcredentials.build,
    logging.build,
    monitoring.build,
    orgpolicy.build,
    pubsub.build,
    resourcemanager.build,
    run.build,
    serviceusage.build,
    storage.build,
    workflows.build,
)
