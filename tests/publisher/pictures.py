"""Small real pictures for the tests of photos."""

from __future__ import annotations

import struct
import zlib


def png(width: int, height: int) -> bytes:
    """A white picture of that size; rows compress to nearly nothing."""
    rows = zlib.compress((b"\x00" + b"\xff" * ((width + 7) // 8)) * height, 9)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


PNG = png(64, 48)
GIF = (
    b"GIF89a"
    + struct.pack("<HH", 64, 48)
    + b"\x80\x00\x00\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00@\x000\x00\x00\x02\x00;"
)
JPEG = (
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    b"\xff\xc0\x00\x0b\x08" + struct.pack(">HH", 48, 64) + b"\x01\x01\x11\x00\xff\xd9"
)
