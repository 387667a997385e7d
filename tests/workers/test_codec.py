import base64
import secrets

import pytest
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload
from temporalio.exceptions import ApplicationError

from workers.codec import ENCODING, EncryptionCodec, KeyRing
from workflows.converter import SEALED_ENCODING, BanksmanPayloadConverter, data_converter
from workflows.repository.goals import ReadFileInput

INPUT = ReadFileInput(repository="acme/shop", path="README.md")


def ring(*names: str) -> KeyRing:
    keys = {name: SecretStr(base64.b64encode(secrets.token_bytes(32)).decode()) for name in names}
    return KeyRing(current=names[-1], keys=keys)


async def read_as_text(codec: EncryptionCodec, payload: Payload) -> None:
    """As workers read: the codec marks what it cannot decrypt, and the converter refuses it where it is read."""
    await data_converter(codec).decode([payload], [str])


async def test_what_is_encoded_is_unreadable_and_comes_back() -> None:
    converter = data_converter(EncryptionCodec(ring("a"), "default"))
    [payload] = await converter.encode([INPUT])
    assert payload.metadata["encoding"] == ENCODING
    assert b"acme" not in payload.SerializeToString()
    assert await converter.decode([payload], [ReadFileInput]) == [INPUT]


async def test_the_same_input_never_looks_the_same() -> None:
    codec = EncryptionCodec(ring("a"), "default")
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b"1")
    one, other = await codec.encode([plain, plain])
    assert one.data != other.data


async def test_a_rotated_ring_reads_what_the_older_key_wrote() -> None:
    old = ring("a")
    [payload] = await EncryptionCodec(old, "default").encode([Payload(data=b"kept")])
    new = KeyRing(current="b", keys={**old.keys, **ring("b").keys})
    [read] = await EncryptionCodec(new, "default").decode([payload])
    assert read.data == b"kept"


async def test_a_key_that_was_taken_away_is_named() -> None:
    [payload] = await EncryptionCodec(ring("a"), "default").encode([Payload(data=b"x")])
    with pytest.raises(ApplicationError, match="no key 'a'"):
        await read_as_text(EncryptionCodec(ring("b"), "default"), payload)


@pytest.mark.parametrize("where", [0, 12, -1])
async def test_a_changed_payload_is_refused(where: int) -> None:
    codec = EncryptionCodec(ring("a"), "default")
    [payload] = await codec.encode([Payload(data=b"approve nothing")])
    changed = bytearray(payload.data)
    changed[where] ^= 1
    with pytest.raises(ApplicationError, match="does not decrypt"):
        await read_as_text(codec, Payload(metadata=payload.metadata, data=bytes(changed)))


async def test_what_does_not_decrypt_is_marked_and_the_rest_is_read() -> None:
    """One bad signal must not cost the other events of the same workflow task."""
    codec = EncryptionCodec(ring("a"), "default")
    [good] = await codec.encode([Payload(data=b"x")])
    short = Payload(metadata={"encoding": ENCODING, "banksman-key": b"a"}, data=b"1")
    sealed, read = await codec.decode([short, good])
    assert (sealed.metadata["encoding"], read.data) == (SEALED_ENCODING.encode(), b"x")
    with pytest.raises(ApplicationError, match="does not decrypt"):
        await EncryptionCodec(ring("a"), "default", mark=False).decode([short])


async def test_a_payload_of_another_namespace_is_refused() -> None:
    keys = ring("a")
    [payload] = await EncryptionCodec(keys, "staging").encode([Payload(data=b"x")])
    with pytest.raises(ApplicationError, match="another namespace"):
        await read_as_text(EncryptionCodec(keys, "production"), payload)


async def test_a_plain_input_is_refused_with_the_way_out() -> None:
    [plain] = await data_converter().encode([INPUT])
    converter = data_converter(EncryptionCodec(ring("a"), "default"))
    with pytest.raises(ApplicationError, match="--codec-endpoint"):
        await converter.decode([plain], [ReadFileInput])


@pytest.mark.parametrize("key", ["", "short", base64.b64encode(b"x" * 31).decode(), "not base64!"])
def test_a_bad_key_is_named_and_not_shown(key: str) -> None:
    with pytest.raises(ValueError, match="payload key 'a' is not 32 bytes") as caught:
        EncryptionCodec(KeyRing(current="a", keys={"a": SecretStr(key)}), "default")
    assert not key or key not in str(caught.value)


def test_a_ring_without_its_current_key_is_refused() -> None:
    with pytest.raises(ValueError, match="no key 'b'"):
        EncryptionCodec(KeyRing(current="b", keys=ring("a").keys), "default")


def test_of_hints_and_payloads_either_may_be_more() -> None:
    converter = BanksmanPayloadConverter()
    assert converter.from_payloads([], [ReadFileInput]) == []
    assert converter.from_payloads(converter.to_payloads([INPUT, "more"]), [ReadFileInput]) == [INPUT, "more"]
