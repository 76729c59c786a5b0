"""Source of pictures from a local camera or an RTSP stream; frames with motion are stored."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from captures.clock import system_clock
from captures.decoded import Picture
from contract.redaction import Redaction
from edge.capture.clip import Clip
from edge.capture.originals import Originals
from edge.capture.port import SourceLost
from edge.capture.triggers import MotionTrigger

if TYPE_CHECKING:
    import cv2


class CameraOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a camera source.

    Attributes:
        device: "0" for /dev/video0, or an address such as rtsp://camera.local/stream.
        motion_share: Fraction of the pixels that must change.
        burst: Number of frames stored for one motion, so that at least one is sharp.
        rest_s: Shortest time from one burst to the next, in seconds.
    """

    device: str = "0"
    motion_share: float = 0.005
    burst: int = 3
    rest_s: float = 5.0


@contextlib.contextmanager
def open_camera(device: str) -> "Iterator[cv2.VideoCapture]":
    """Open a camera for the length of a ``with`` block.

    Raises:
        SourceLost: the camera cannot be opened.
    """
    import cv2

    camera = cv2.VideoCapture(int(device)) if device.isdigit() else cv2.VideoCapture(device)
    try:
        if not camera.isOpened():
            raise SourceLost(
                "broken",
                f"camera {without_password(device)}: cannot be opened; check the cable and the address",
            )
        yield camera
    finally:
        camera.release()


def without_password(device: str) -> str:
    """Remove credentials from a camera's address, since messages about the camera are sent to the server."""
    return Redaction()(device)


class CameraSource:
    """Source of pictures from a camera, read through OpenCV; implements ``Source``."""

    def __init__(
        self, options: CameraOptions, originals: Originals, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Store the options; ``captures`` opens the camera and stores its pictures in ``originals``."""
        self._options = options
        self._originals = originals
        self._now = now

    def captures(self, stop: threading.Event, once: bool) -> Iterator[Clip | None]:
        """Yield frames with motion as ``Source.captures`` specifies; with ``once``, stop at the end of a video file."""
        motion = MotionTrigger(self._options.motion_share)
        with open_camera(self._options.device) as camera:
            remaining, last_burst = 0, datetime.fromtimestamp(0, UTC)
            while not stop.is_set():
                success, frame = camera.read()
                if not success:
                    if once:
                        return
                    raise SourceLost("broken", f"camera {without_password(self._options.device)}: no more frames")
                pixels = np.asarray(frame, dtype=np.uint8)
                now = self._now()
                # abs: when the clock is set back, bursts must not stop until it has caught up
                rested = abs((now - last_burst).total_seconds()) >= self._options.rest_s
                if motion.moved(pixels) and rested and not remaining:
                    remaining, last_burst = self._options.burst, now
                if remaining:
                    remaining -= 1
                    yield self._store(pixels, now)
                else:
                    yield None

    def _store(self, pixels: NDArray[np.uint8], now: datetime) -> Clip:
        import cv2

        encoded, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
        if not encoded:
            raise SourceLost(
                "broken",
                f"camera {without_password(self._options.device)}: cannot encode a frame of shape {pixels.shape}",
            )
        name = f"{now:%Y%m%dT%H%M%S.%fZ}.jpg"
        try:
            _, original = self._originals.keep(data.tobytes(), name, "image/jpeg")
        except OSError as error:
            raise SourceLost("disk", f"{name}: {error.strerror or error}") from error
        height, width = pixels.shape[:2]
        return Clip(Picture(pixels, width, height), now, system_clock(now), name, original)
