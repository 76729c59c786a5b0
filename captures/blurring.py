"""Blurring of people in a picture, and reduction of the picture to the size of an alert."""

from collections.abc import Sequence
from io import BytesIO

from captures.decoded import Unreadable
from captures.sent_media import check_sent_picture
from contract import Box

_LONGEST_PX = 1_280
_MARGIN = 0.1  # of the box size: heads extend beyond the box


def blurred_jpeg(data: bytes, people: Sequence[Box | None]) -> bytes:
    """Return a picture as a JPEG of at most 1,280 pixels in which people are blurred.

    Args:
        data: A JPEG or PNG thumbnail.
        people: Where they are; None: somewhere, and the whole picture is blurred.

    Raises:
        Unreadable: the picture has another form, is too large, or cannot be decoded.
    """
    from PIL import Image, ImageFilter

    check_sent_picture(data)
    try:
        # Without the list, Pillow would try every format it knows, and start Ghostscript for one of them.
        with Image.open(BytesIO(data), formats=("JPEG", "PNG")) as opened:
            opened.draft("RGB", (_LONGEST_PX, _LONGEST_PX))
            opened.thumbnail((_LONGEST_PX, _LONGEST_PX))
            picture = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Unreadable(f"a picture of {len(data)} bytes cannot be decoded: {error}") from error
    blurred = picture.filter(ImageFilter.GaussianBlur(max(picture.size) / 25))
    for box in people:
        area = _area(box, picture.size)
        picture.paste(blurred.crop(area), area)
    output = BytesIO()
    picture.save(output, "JPEG", quality=80)
    return output.getvalue()


def _area(box: Box | None, size: tuple[int, int]) -> tuple[int, int, int, int]:
    if box is None:
        return 0, 0, size[0], size[1]
    left, top = box.x - _MARGIN * box.width, box.y - _MARGIN * box.height
    right, bottom = box.x + (1 + _MARGIN) * box.width, box.y + (1 + _MARGIN) * box.height
    width, height = size
    return (
        max(0, round(left * width)),
        max(0, round(top * height)),
        min(width, round(right * width) + 1),
        min(height, round(bottom * height) + 1),
    )
