"""The name of the first GPU, asked of the driver itself: no package for one string."""

import ctypes

_NAME_BYTES = 128


def gpu_name(library: str = "libcuda.so.1") -> str:
    """The driver's name for device 0, or "unknown GPU" where the driver does not say."""
    try:
        driver = ctypes.CDLL(library)
        name = ctypes.create_string_buffer(_NAME_BYTES)
        device = ctypes.c_int()
        answers = (
            driver.cuInit(0),
            driver.cuDeviceGet(ctypes.byref(device), 0),
            driver.cuDeviceGetName(name, _NAME_BYTES, device),
        )
    except (OSError, AttributeError):
        return "unknown GPU"
    return name.value.decode("utf-8", "replace") if not any(answers) else "unknown GPU"
