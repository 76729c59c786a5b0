"""A camera on the station's own bus, or one that streams by RTSP; frames are kept when something moves."""

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from captures.clock import system_clock
from captures.decoded import Picture
from edge.capture.clip import Clip
from edge.capture.originals import Originals
from edge.capture.port import SourceLost
from edge.capture.triggers import MotionTrigger

if TYPE_CHECKING:
    import cv2


class CameraOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which camera, and when to keep a frame.

    Attributes:
        device: "0" for /dev/video0, or an address such as rtsp://camera.local/stream.
        motion_share: Of the pixels that must change.
        burst: Frames kept for one motion, so that at least one is sharp.
        rest_s: Pause between two bursts.
    """

    device: str = "0"
    motion_share: float = 0.005
    burst: int = 3
    rest_s: float = 5.0


@contextlib.contextmanager
def open_camera(device: str) -> "Iterator[cv2.VideoCapture]":
    """Open a camera, and let go of it at the end.

    Raises:
        SourceLost: it cannot be opened.
    """
    import cv2

    camera = cv2.VideoCapture(int(device)) if device.isdigit() else cv2.VideoCapture(device)
    try:
        if not camera.isOpened():
            raise SourceLost(
                "broken",
                f"camera {without_password(device)}: cannot be opened; is it plugged in, and its address right?",
            )
        yield camera
    finally:
        camera.release()


def without_password(device: str) -> str:
    """Name a camera without the password that its address may hold: what is said of it travels to the server."""
    return re.sub(r"//[^/@]*@", "//...@", device)


class CameraSource:
    """Reads frames through OpenCV. See ``Source`` for the contract."""

    def __init__(
        self, options: CameraOptions, originals: Originals, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Name the camera, which is opened when captures are asked for, and where its pictures stay."""
        self._options = options
        self._originals = originals
        self._now = now

    def captures(self, stop: threading.Event, once: bool) -> Iterator[Clip | None]:
        """See ``Source.captures``; a video file ends, with ``once``, where it ends."""
        motion = MotionTrigger(self._options.motion_share)
        with open_camera(self._options.device) as camera:
            left, last_burst = 0, datetime.fromtimestamp(0, UTC)
            while not stop.is_set():
                there, frame = camera.read()
                if not there:
                    if once:
                        return
                    raise SourceLost("broken", f"camera {without_password(self._options.device)}: no more frames")
                pixels = np.asarray(frame, dtype=np.uint8)
                now = self._now()
                # abs: a clock that is set back must not silence the camera until it has caught up
                rested = abs((now - last_burst).total_seconds()) >= self._options.rest_s
                if motion.moved(pixels) and rested and not left:
                    left, last_burst = self._options.burst, now
                if left:
                    left -= 1
                    yield self._kept(pixels, now)
                else:
                    yield None

    def _kept(self, pixels: NDArray[np.uint8], now: datetime) -> Clip:
        import cv2

        made, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
        if not made:
            raise SourceLost(
                "broken",
                f"camera {without_password(self._options.device)}: a frame of {pixels.shape} cannot be written",
            )
        name = f"{now:%Y%m%dT%H%M%S.%fZ}.jpg"
        try:
            _, original = self._originals.keep(data.tobytes(), name, "image/jpeg")
        except OSError as error:
            raise SourceLost("disk", f"{name}: {error.strerror or error}") from error
        height, width = pixels.shape[:2]
        return Clip(Picture(pixels, width, height), now, system_clock(now), name, original)
