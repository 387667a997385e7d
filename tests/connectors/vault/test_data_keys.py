"""Keys of transcripts at a real OpenBao: the models worker makes and unwraps them, and nobody else does."""

import pytest

from activities.models.transcripts import KEY
from connectors.errors import AuthDenied, InvalidRequest
from tests.connectors.vault.server import House


async def test_the_models_worker_unwraps_what_it_had_wrapped(house: House) -> None:
    session = await house.login("models")
    raw, wrapped = await session.make_data_key(KEY)
    assert len(raw) == 32
    assert wrapped.startswith("vault:v1:")
    assert await (await house.login("models")).open_data_key(KEY, wrapped) == raw
    another, _ = await session.make_data_key(KEY)
    assert another != raw


@pytest.mark.parametrize("wrapped", ["", "vault:v1:AAAA", "vault:v9:AAAA", "nonsense"])
async def test_what_that_key_did_not_wrap_is_refused(house: House, wrapped: str) -> None:
    session = await house.login("models")
    with pytest.raises(InvalidRequest):
        await session.open_data_key(KEY, wrapped)


@pytest.mark.parametrize("role", ["goals", "gateway", "sandbox", "connectors", "destructive", "codec"])
async def test_no_other_process_unwraps_a_transcripts_key(house: House, role: str) -> None:
    _, wrapped = await (await house.login("models")).make_data_key(KEY)
    session = await house.login(role)
    with pytest.raises(AuthDenied):
        await session.open_data_key(KEY, wrapped)
    with pytest.raises(AuthDenied):
        await session.make_data_key(KEY)


async def test_the_models_worker_uses_no_other_key(house: House) -> None:
    session = await house.login("models")
    for key in ("handover", "approvals"):
        with pytest.raises(AuthDenied):
            await session.make_data_key(key)
