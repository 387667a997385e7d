"""AWS's event streams: frames with a checked prelude, typed headers, a payload and a checksum over all of it.

A frame is: its length and that of its headers, 4 bytes each; the CRC32 of those; headers; payload; the CRC32 of all
before. A header of text is: the length of its name, 1 byte; the name; 7; the length of its value, 2 bytes; the value.
"""

import struct
import zlib
from collections.abc import Mapping
from typing import Final

MEDIA_TYPE: Final = "application/vnd.amazon.eventstream"
_TEXT: Final = 7
_CHECKSUM: Final = 4
_PRELUDE: Final = 8


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message."""
    named = b"".join(_header(name, value) for name, value in headers.items())
    length = _PRELUDE + _CHECKSUM + len(named) + len(payload) + _CHECKSUM
    prelude = struct.pack("!II", length, len(named))
    begun = prelude + _checksum(prelude) + named + payload
    return begun + _checksum(begun)


def event(kind: str, payload: bytes) -> bytes:
    """One event of a stream, with a payload in JSON."""
    return frame({":event-type": kind, ":content-type": "application/json", ":message-type": "event"}, payload)


def exception(kind: str, payload: bytes) -> bytes:
    """An error in a stream that has begun."""
    return frame({":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}, payload)


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return struct.pack("!B", len(key)) + key + struct.pack("!BH", _TEXT, len(text)) + text


def _checksum(content: bytes) -> bytes:
    return struct.pack("!I", zlib.crc32(content))
