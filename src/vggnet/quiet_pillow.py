"""Pillow without its own messages, so that a picture that cannot be read gives one line.

In and out: nothing; `with quiet_pillow:` holds back Pillow's Python warnings and what its TIFF
library prints on standard error. Exceptions pass.
"""

from __future__ import annotations

import ctypes
import threading
import warnings
from collections.abc import Callable

from PIL import _imaging


def _libtiff_error_handler() -> Callable[[int | None], int | None]:
    """libtiff's function that takes the new handler of its errors and gives the old one."""
    try:
        function = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    except (AttributeError, OSError):  # Pillow was built without libtiff, or with it inside
        return lambda handler: handler
    function.restype = ctypes.c_void_p
    function.argtypes = [ctypes.c_void_p]
    return function


class _QuietPillow:
    """Keeps Pillow quiet while at least one thread is inside.

    Filters and handler belong to the process: threads that each saved and restored them would
    restore each other's. Here the first thread in saves them and the last one out restores them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_inside = 0
        self._filters = warnings.catch_warnings()
        self._set_error_handler = _libtiff_error_handler()
        self._error_handler: int | None = None

    def __enter__(self) -> None:
        with self._lock:
            if self._num_inside == 0:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
                self._error_handler = self._set_error_handler(None)
            self._num_inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._num_inside -= 1
            if self._num_inside == 0:
                self._set_error_handler(self._error_handler)
                self._filters.__exit__(None, None, None)


quiet_pillow = _QuietPillow()
