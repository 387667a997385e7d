"""Event streams are those that botocore reads, and checksums are there to be checked."""

import pytest
from botocore.eventstream import ChecksumMismatch, EventStreamBuffer

from connectors.models.twin.wires import eventstream

EVENT = eventstream.event("messageStart", b'{"role":"assistant"}')


def read(given: bytes) -> list[tuple[dict[str, str], bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(given)
    return [(dict(one.headers), one.payload) for one in buffer]


def test_botocore_reads_what_is_framed() -> None:
    failed = eventstream.exception("throttlingException", b'{"message":"slower"}')
    first, second = read(EVENT + failed)
    assert first == (
        {":event-type": "messageStart", ":content-type": "application/json", ":message-type": "event"},
        b'{"role":"assistant"}',
    )
    assert second[0][":message-type"] == "exception"
    assert second[0][":exception-type"] == "throttlingException"


@pytest.mark.parametrize("at", [0, 9, 20, len(EVENT) - 6, len(EVENT) - 1])
def test_one_bit_that_is_wrong_is_found(at: int) -> None:
    torn = bytearray(EVENT)
    torn[at] ^= 1
    with pytest.raises(ChecksumMismatch):
        read(bytes(torn))


@pytest.mark.parametrize("kept", [0, 8, 11, len(EVENT) - 1])
def test_a_frame_that_is_cut_is_none(kept: int) -> None:
    assert read(EVENT[:kept]) == []
