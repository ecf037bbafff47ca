"""How much one request may ask for, and all of them together.

Out: the bounds, which the documents of the interface state too.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Beyond them a request is answered by 413, 422 or 503, or its connection is closed."""

    body_bytes: int = 32 << 20
    bytes_in_flight: int = 256 << 20  # of all bodies that are held, and of all answers not yet read
    object_bytes: int = 256 << 10  # of a body that is JSON
    pixels: int = 60_000_000  # of one picture, as its header has it
    pixels_in_flight: int = 60_000_000  # of all pictures that are being decoded
    pictures: int = 32
    numbers: int = 4 << 20  # of the maps in one answer
    connections: int = 512
    requests: int = 128  # that are being answered
    # Pictures for the engine, or jobs for the threads of quick work or of pictures.
    waiting: int = 256
    slow: int = 2  # explanations and the like that are computed at one time
    slow_waiting: int = 8
    headers_seconds: float = 10.0  # from the connection, or the last answer, to a request
    body_seconds: float = 60.0
    work_seconds: float = 120.0
    stop_seconds: float = 7.0  # for what is being answered when a signal comes; then it is given up
    linger_seconds: float = 2.0  # for a body that is still coming after its answer

    @property
    def request_seconds(self) -> float:
        """From the headers to the last byte of the answer; then the connection is cut."""
        return self.body_seconds + self.work_seconds + 30
