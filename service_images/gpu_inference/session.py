"""An onnxruntime session on the device that was asked for, or none.

Contract: DEVICE=cuda means CUDA: onnxruntime would fall back to the CPU with a log line only, so
a session whose first provider is another one is a DeviceError, which ends the process.
"""

from dataclasses import dataclass
from typing import Any

from common.manifest import BundleError
from common.problems import FatalStartError
from gpu_inference.gpu import gpu_name

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
DEVICES = ("cuda", "cpu", "auto")
# With fewer CPUs than this, threads that spin while they wait take them from those that work.
_SPIN_FROM_CPUS = 4


class DeviceError(FatalStartError):
    """The device asked for is not there."""


@dataclass(frozen=True, slots=True)
class Device:
    """What the session runs on."""

    cuda: bool
    label: str


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session and the device under it."""

    session: Any
    device: Device


def open_session(
    runtime: Any, graph: bytes, *, wanted: str, cpus: int, emulated: str
) -> OpenSession:
    """A session of `runtime` (the onnxruntime module). Raises DeviceError or BundleError."""
    if wanted != "cpu" and CUDA in runtime.get_available_providers():
        if hasattr(runtime, "preload_dlls"):
            runtime.preload_dlls()  # finds the CUDA libraries of the Python packages
        session = _create(runtime, graph, [CUDA, CPU], threads=cpus, cpus=cpus)
        if session.get_providers()[0] == CUDA:
            return OpenSession(session, Device(cuda=True, label=f"cuda:{gpu_name()}"))
    if wanted == "cuda":
        raise DeviceError(
            "DEVICE=cuda, but onnxruntime cannot use a CUDA device here (is there a GPU, is its "
            "driver new enough for the CUDA of this image, is the package onnxruntime-gpu?)"
        )
    # One thread for each run and several runs at once is faster than the reverse on a CPU.
    session = _create(runtime, graph, [CPU], threads=1, cpus=cpus)
    return OpenSession(session, Device(cuda=False, label=_cpu_label(emulated)))


def _cpu_label(emulated: str) -> str:
    name = emulated.removeprefix("nvidia-").upper()
    return f"cpu ({name} emulated)" if name else "cpu"


def _create(runtime: Any, graph: bytes, providers: list[str], *, threads: int, cpus: int) -> Any:
    options = runtime.SessionOptions()
    # Without it onnxruntime may rewrite the int8 weights into a kernel that quantises the
    # activations too, and an answer would depend on its batch.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    if cpus < _SPIN_FROM_CPUS:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    try:
        return runtime.InferenceSession(graph, options, providers=providers)
    except Exception as error:  # onnxruntime's own classes derive from nothing narrower
        raise BundleError(f"onnxruntime cannot load the graph: {type(error).__name__}") from error
