"""The bytes of an image file to pixels."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

from brainalign.errors import ImageError

__all__ = ["decode_pixels"]


def decode_pixels(data: bytes, file: str) -> Image.Image:
    """Decode the bytes of an image file, upright and in RGB; ``file`` is for the error.

    Raises
    ------
    ImageError
        If they do not decode.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except (
        Exception
    ) as error:  # decoders of damaged files raise OSError, SyntaxError, ValueError, struct.error and more
        raise ImageError(f"image {file!r} does not decode ({len(data)} bytes): {error}") from error
