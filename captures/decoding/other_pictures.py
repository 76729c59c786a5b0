"""Conversion of HEIC, AVIF, WebP, GIF and BMP pictures to JPEG; of an animation, its first frame."""

from collections.abc import Iterator
from io import BytesIO

import pillow_heif
from PIL import Image, ImageOps

from captures.decoded import Unreadable
from captures.decoding.messages import Content, PictureTask

_FORMATS = {"HEIC": "HEIF", "AVIF": "AVIF", "WebP": "WEBP", "GIF": "GIF", "BMP": "BMP"}  # Pillow's names
_MAX_SIDE_PX = 65_000  # of a JPEG
_QUALITY = 95


def convert_picture(task: PictureTask, content: bytes) -> Iterator[Content]:
    """Yield a picture as JPEG at its full size, upright and without metadata.

    Raises:
        Unreadable: it is too large, cut off or damaged.
    """
    pillow_heif.options.DECODE_THREADS = 1  # the process may start none
    pillow_heif.register_heif_opener(thumbnails=False)
    Image.MAX_IMAGE_PIXELS = None  # the limit below is the caller's
    try:
        # Without the list, Pillow would try every format it knows.
        with Image.open(BytesIO(content), formats=(_FORMATS[task.form],)) as opened:
            width, height = opened.size
            if width * height > task.limit_pixels or max(width, height) > _MAX_SIDE_PX:
                raise Unreadable(
                    f"{task.form} of {width} x {height} pixels: expected at most {task.limit_pixels} pixels"
                )
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, EOFError, IndexError) as error:
        raise Unreadable(f"{task.form} of {len(content)} bytes cannot be decoded: {error}") from error
    file = BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY, subsampling=0)
    yield Content(file.getvalue())
