"""Check of the user's own key: whether it is where its data is, and whether Google may use it."""

from collections.abc import Iterator

from gpupipe.cloud.keys import ENCRYPTER
from gpupipe.core.errors import GpupipeError
from gpupipe.deploy.keys import agents, elsewhere, location_of
from gpupipe.deploy.preflight.finding import Finding, blocker, ok, unknown, warning
from gpupipe.deploy.step import World


def key(world: World) -> Iterator[Finding]:
    """Nothing where no key is set: Google encrypts with its own."""
    name = world.spec.config.options.kms_key
    if not name:
        return
    for what, place in elsewhere(world.spec).items():
        yield blocker(
            "key",
            f"The key is in {location_of(name)}, {what} in {place}.",
            "A key encrypts only what is in its own location.",
            "Name a key of that location, or set region and the buckets' location to the key's.",
        )
    needed = agents(world.cloud.projects.number(world.spec.names.project))
    try:
        held = world.cloud.keys.encrypters(name)
    except GpupipeError as error:
        yield unknown(
            "key",
            f"Who may use {name} could not be read.",
            f"{error.brief} {error.details or ''}".strip(),
            f"Make sure that these have {ENCRYPTER} on it: {', '.join(needed.values())}.",
        )
        return
    missing = {api: who for api, who in needed.items() if f"serviceAccount:{who}" not in held}
    if not missing:
        yield ok("key", f"Google's service agents may use {name}.")
    for api, who in missing.items():
        yield _missing(world, name, api, who)


def _missing(world: World, name: str, api: str, who: str) -> Finding:
    project = world.spec.names.project
    made = (
        f"gcloud storage service-agent --project {project}"
        if api == "storage"
        else f"gcloud beta services identity create --service {api}.googleapis.com "
        f"--project {project}"
    )
    _, key_project, _, location, _, ring, _, short = name.split("/")
    return warning(
        "key",
        f"{who} has no {ENCRYPTER} on {name}.",
        f"The service agent of {api} encrypts with the key. The role may also come from the key ring "
        "or the project, which is not looked at; without it the deploy is refused.",
        f"gcloud kms keys add-iam-policy-binding {short} --keyring {ring} --location {location} "
        f"--project {key_project} --member serviceAccount:{who} --role {ENCRYPTER}; where the agent "
        f"is not there yet: {made}.",
    )
