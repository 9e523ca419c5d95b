import os
import threading
from pathlib import Path

import pytest
from tests.support.clock import FakeClock

from gpupipe.localcloud.errors import Code, ServiceError
from gpupipe.localcloud.kernel.kernel import Kernel, build_kernel
from gpupipe.localcloud.kernel.registry_images import ImageConfig

REPOSITORY = "projects/demo-project/locations/us-central1/repositories/containers"
BASE = "us-central1-docker.pkg.dev/demo-project/containers/one"
CONFIG = ImageConfig(cmd=("python", "main.py"), env={"A": "b"}, workdir="/app", exposed_port=8080)


def folder(root: Path, name: str, text: str = "print(1)") -> Path:
    path = root / name
    (path / "app").mkdir(parents=True)
    (path / "app" / "main.py").write_text(text)
    (path / "link").symlink_to("app/main.py")
    return path


def push(kernel: Kernel, root: Path, text: str = "print(1)", repository: str = REPOSITORY) -> str:
    source = folder(root, f"build-{len(list(root.iterdir()))}", text)
    return kernel.images.import_folder(repository, "one", source, CONFIG)


def test_an_image_is_found_by_tag_and_by_digest(kernel: Kernel, tmp_path: Path) -> None:
    digest = push(kernel, tmp_path)
    kernel.images.tag(REPOSITORY, "one", "latest", digest)
    for uri in (BASE, f"{BASE}:latest", f"{BASE}@{digest}"):
        image = kernel.images.resolve(uri)
        assert image is not None
        assert (image.digest, image.config, image.tags) == (digest, CONFIG, ("latest",))
        assert image.uri == f"{BASE}@{digest}"
        assert (image.folder / "app" / "main.py").read_text() == "print(1)"
    for uri in (f"{BASE}:other", "gcr.io/x/y", f"{BASE}@sha256:{'0' * 64}", ""):
        assert kernel.images.resolve(uri) is None


def test_the_digest_follows_from_contents_mode_and_config(kernel: Kernel, tmp_path: Path) -> None:
    first = push(kernel, tmp_path)
    assert push(kernel, tmp_path) == first
    assert push(kernel, tmp_path, "print(2)") != first
    program = folder(tmp_path, "program")
    (program / "app" / "main.py").chmod(0o755)
    assert kernel.images.import_folder(REPOSITORY, "one", program, CONFIG) != first
    other = folder(tmp_path, "config")
    assert kernel.images.import_folder(REPOSITORY, "one", other, ImageConfig()) != first
    assert not other.exists()


def test_a_tag_moves(kernel: Kernel, tmp_path: Path) -> None:
    one, two = push(kernel, tmp_path), push(kernel, tmp_path, "print(2)")
    kernel.images.tag(REPOSITORY, "one", "latest", one)
    kernel.images.tag(REPOSITORY, "one", "latest", two)
    found = kernel.images.resolve(BASE)
    assert found is not None
    assert found.digest == two
    assert {image.digest: image.tags for image in kernel.images.list(REPOSITORY)} == {
        one: (),
        two: ("latest",),
    }
    with pytest.raises(ServiceError) as refused:
        kernel.images.tag(REPOSITORY, "one", "latest", f"sha256:{'0' * 64}")
    assert refused.value.code is Code.NOT_FOUND


def test_a_folder_lives_as_long_as_something_needs_it(kernel: Kernel, tmp_path: Path) -> None:
    other = REPOSITORY.replace("containers", "others")
    digest = push(kernel, tmp_path)
    assert push(kernel, tmp_path, repository=other) == digest
    path = kernel.images.folder(digest)
    kernel.images.delete(REPOSITORY, "one", digest)
    assert path.exists()
    kernel.images.hold("revision-1", digest)
    kernel.images.delete_repository(other)
    assert path.exists()
    assert kernel.images.list(other) == ()
    kernel.images.release("revision-1")
    assert not path.exists()
    for thread in threading.enumerate():
        if thread.name == "images":
            thread.join()
    assert list(kernel.settings.images.iterdir()) == []


def test_an_import_that_was_cut_off_is_swept_at_the_next_start(
    kernel: Kernel, tmp_path: Path, clock: FakeClock
) -> None:
    kept = kernel.images.folder(push(kernel, tmp_path))
    orphan = folder(kernel.settings.images, "f" * 64)
    again = build_kernel(kernel.settings, clock)
    assert kept.exists()
    assert not orphan.exists()
    again.database.close()
    again.log_database.close()


def test_what_is_neither_file_nor_link_is_refused(kernel: Kernel, tmp_path: Path) -> None:
    source = folder(tmp_path, "build")
    os.mkfifo(source / "pipe")
    with pytest.raises(ValueError, match="neither a file nor a link"):
        kernel.images.import_folder(REPOSITORY, "one", source, CONFIG)
