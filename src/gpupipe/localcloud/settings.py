"""What can be set about one local cloud, frozen at start; faults and quotas change at run time."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a local cloud keeps its state, and which project it starts with.

    home: folder of this local cloud (0700): state.db, logs.db, objects/, images/, instances/,
    layers/, token, signing-key.pem, adc.json, gcloud/, daemon.json, daemon.log.
    """

    home: Path
    project: str = "gpupipe-local"
    region: str = "us-central1"

    @property
    def database(self) -> Path:
        """The SQLite file of all state."""
        return self.home / "state.db"

    @property
    def logs(self) -> Path:
        """The SQLite file of log entries and of the request log."""
        return self.home / "logs.db"

    @property
    def objects(self) -> Path:
        """Object data of Cloud Storage, immutable files."""
        return self.home / "objects"

    @property
    def images(self) -> Path:
        """Built container images: folders by digest."""
        return self.home / "images"

    @property
    def instances(self) -> Path:
        """Working folders of running instances."""
        return self.home / "instances"

    @property
    def builds(self) -> Path:
        """Working folders of builds, on the file system of `images`: a result is moved there."""
        return self.home / "builds"

    @property
    def layers(self) -> Path:
        """What RUN instructions made, for later builds; not part of the state, a reset keeps it."""
        return self.home / "layers"

    @property
    def token(self) -> Path:
        """The operator's token (0600)."""
        return self.home / "token"

    @property
    def signing_key(self) -> Path:
        """The key that signs identity tokens (0600)."""
        return self.home / "signing-key.pem"

    @property
    def credentials(self) -> Path:
        """Application default credentials of the operator for this local cloud (0600)."""
        return self.home / "adc.json"

    @property
    def gcloud(self) -> Path:
        """The configuration folder for gcloud (`gcloud.py`)."""
        return self.home / "gcloud"

    @property
    def boto(self) -> Path:
        """The configuration of gsutil."""
        return self.gcloud / "boto"

    @property
    def certificate(self) -> Path:
        """What a client of the HTTP proxy has to trust, for Google's hosts to be served to it."""
        return self.gcloud / "ca.pem"
