"""Services for tests of Cloud Run: tiny images with a standard-library server, and their clients.

The server answers `/` with what it sees of its environment, `/hang` never (until released through
a second connection to `/release`), `/refused` with 503, `/token` with what the metadata server gives it.
"""

import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from google.cloud import run_v2

from gpupipe.localcloud.kernel.logs import LogEntry
from gpupipe.localcloud.kernel.registry_images import ImageConfig
from gpupipe.localcloud.runner.pool import Pool
from gpupipe.localcloud.runner.supervisor import Supervisor
from gpupipe.localcloud.services.run.surface import Run
from tests.support.localcloud import RunningCloud

REGION = "us-central1"
SERVER = textwrap.dedent(
    """
    import http.server, json, os, threading, urllib.request

    released = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            path = self.path.partition("?")[0]
            if path == "/hang":
                print("hanging", flush=True)
                released.wait()
            if path == "/release":
                released.set()
            if path == "/refused":
                self.send_error(503)
                return
            if path == "/crash":
                os._exit(3)
            if path == "/log":
                print(json.dumps({"severity": "WARNING", "message": "seen", "n": 1}), flush=True)
            body = {
                "environ": dict(os.environ), "headers": {k.lower(): v for k, v in self.headers.items()}, "path": self.path,
                "pid": os.getpid(), "cwd": os.getcwd(),
            }
            if path == "/metadata":
                url = f"http://{os.environ['GCE_METADATA_HOST']}/computeMetadata/v1/"
                ask = self.headers["X-Ask"]
                request = urllib.request.Request(url + ask, headers={"Metadata-Flavor": "Google"})
                body["answer"] = urllib.request.urlopen(request).read().decode()
            self.reply(body)

        def do_POST(self):
            data = self.rfile.read(int(self.headers["Content-Length"]))
            self.reply({"size": len(data)})

        def reply(self, body):
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    print("starting", os.environ["K_REVISION"], flush=True)
    address = (os.environ["HOST"], int(os.environ["PORT"]))
    http.server.ThreadingHTTPServer(address, Handler).serve_forever()
    """  # noqa: E501
)
NEVER_LISTENS = "import sys; print('no model here', flush=True); sys.exit(9)"


@dataclass
class RunTester:
    """What a test of Cloud Run does, in one line each."""

    cloud: RunningCloud
    scratch: Path
    account: str = ""
    _built: int = field(default=0)

    def __post_init__(self) -> None:
        self.cloud.enable("run.googleapis.com", "iam.googleapis.com")
        self.account = self.new_account("runtime")
        self.services = self.cloud.client(run_v2.ServicesClient)
        self.revisions = self.cloud.client(run_v2.RevisionsClient)

    @property
    def parent(self) -> str:
        return f"projects/{self.cloud.project}/locations/{REGION}"

    def new_account(self, account_id: str) -> str:
        self.cloud.account_token(account_id)
        return f"{account_id}@{self.cloud.project}.iam.gserviceaccount.com"

    def image(self, source: str = SERVER, **config: Any) -> str:
        """An image with /app/server.py; its reference by digest."""
        self._built += 1
        folder = self.scratch / f"image {self._built}"
        (folder / "app").mkdir(parents=True)
        (folder / "app" / "server.py").write_text(source)
        repository = f"{self.parent}/repositories/images"
        settings = {"cmd": ("python", "/app/server.py"), "workdir": "/app", **config}
        images = self.cloud.kernel.images
        digest = images.import_folder(repository, "server", folder, ImageConfig(**settings))
        return f"{REGION}-docker.pkg.dev/{self.cloud.project}/images/server@{digest}"

    def service(self, image: str, **template: Any) -> run_v2.Service:
        """A small CPU service as gpupipe would write it."""
        container = run_v2.Container(
            image=image,
            resources=run_v2.ResourceRequirements(
                limits={"cpu": "1", "memory": "512Mi"}, cpu_idle=True
            ),
            startup_probe=run_v2.Probe(
                http_get=run_v2.HTTPGetAction(path="/ready"), period_seconds=1, failure_threshold=60
            ),
        )
        settings = {
            "scaling": run_v2.RevisionScaling(max_instance_count=2),
            "service_account": self.account,
            "containers": [container],
            **template,
        }
        return run_v2.Service(template=run_v2.RevisionTemplate(**settings))

    def create(self, service_id: str, service: run_v2.Service, **options: Any) -> Any:
        """The operation's future."""
        request = run_v2.CreateServiceRequest(
            parent=self.parent, service_id=service_id, service=service, **options
        )
        return self.services.create_service(request=request, timeout=20)

    def deploy(self, service_id: str = "svc", **template: Any) -> run_v2.Service:
        """A service that is ready."""
        operation = self.create(service_id, self.service(self.image(), **template))
        created: run_v2.Service = operation.result(timeout=30)
        return created

    def grant(self, service: run_v2.Service, *members: str) -> None:
        """Give roles/run.invoker on a service."""
        policy = self.services.get_iam_policy(request={"resource": service.name}, timeout=5)
        policy.bindings.add(role="roles/run.invoker", members=members)
        self.services.set_iam_policy(
            request={"resource": service.name, "policy": policy}, timeout=5
        )

    def id_token(self, audience: str, account: str = "") -> str:
        return self.cloud.kernel.identity.id_token(account or self.account, audience)

    @contextmanager
    def deployment_held(self, service: str) -> Iterator[None]:
        """Behind the wire: the background work of a service does not begin meanwhile."""
        with self._surface._deployments._locks[service]:
            yield

    @property
    def _surface(self) -> Run:
        return next(s for s in self.cloud.cloud._surfaces if isinstance(s, Run))

    @property
    def supervisor(self) -> Supervisor:
        """Behind the wire: the instances."""
        return self._surface.supervisor

    def pool(self, service: run_v2.Service) -> Pool:
        """Behind the wire: the instances of the latest revision."""
        pool = self.supervisor.existing(service.latest_ready_revision)
        assert pool is not None
        return pool

    def wait_for_line(self, service_id: str, line: str) -> None:
        """Wait until an instance of a service has written a line."""
        self.wait_for_entry(service_id, lambda entry: entry.payload == line)

    def wait_for_entry(self, service_id: str, matches: Callable[[LogEntry], bool]) -> LogEntry:
        """Wait for a log entry of a service."""
        logs = self.cloud.kernel.logs

        def found(entry: LogEntry) -> bool:
            return entry.resource_labels.get("service_name") == service_id and matches(entry)

        while True:
            seen = logs.latest()
            if entries := logs.query(self.cloud.project, where=found):
                return entries[0]
            assert logs.wait(seen, 20)

    def get(self, service: run_v2.Service, path: str = "/", **headers: str) -> httpx.Response:
        """A GET with an identity token of the runtime account, unless `Authorization` is given."""
        token = self.id_token(service.uri)
        merged = {"Authorization": f"Bearer {token}", **headers}
        with httpx.Client(trust_env=False, timeout=20) as client:
            return client.get(service.uri + path, headers={k: v for k, v in merged.items() if v})
