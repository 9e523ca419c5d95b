"""What must be there of APIs that are not emulated: keys and connectors."""

from tests.support.world import REGION, World


def key(world: World) -> None:
    """The key k of us-central1, which the service agents may use; and "closed", which they may not."""
    ring = f"projects/{world.project}/locations/{REGION}/keyRings/r/cryptoKeys"
    world.cloud.kernel.projects.ensure(world.project)
    agents = world.cloud.kernel.agents
    apis = ("run", "workflows", "artifactregistry", "storage")
    emails = [agents.agent_email(f"{api}.googleapis.com", world.project) for api in apis]
    world.cloud.kernel.outside.add(f"{ring}/k", emails)
    world.cloud.kernel.outside.add(f"{ring}/closed")
    elsewhere = f"projects/{world.project}/locations/europe-west1/keyRings/r/cryptoKeys/k"
    world.cloud.kernel.outside.add(elsewhere, emails)


def connector(world: World) -> None:
    """Connectors c of us-central1 and of europe-west1 exist."""
    for region in (REGION, "europe-west1"):
        name = f"projects/{world.project}/locations/{region}/connectors/c"
        world.cloud.kernel.outside.add(name)


GIVENS = {"connector": connector, "key": key}
