"""What goals leave in the artifact store: their conversations go with them, and artifacts that are nobody else's."""

import base64
import json
import os
import secrets
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import SecretStr
from temporalio.client import Client

from connectors.artifacts import ArtifactStore, DatedStore
from tests.workers.forgetting.conftest import LATER, Place
from workers.codec import EncryptionCodec, KeyRing
from workers.commands.exits import Exit
from workers.forgetting.stored import Unreadable, references
from workflows.converter import data_converter

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

UNTIL = date(2030, 1, 31)


async def put(place: Place) -> str:
    return await ArtifactStore(str(place.store)).put(secrets.token_bytes(16))


async def said(place: Place) -> str:
    """A turn of a conversation with a model."""
    digest = await DatedStore(str(place.store), "transcripts").put(secrets.token_bytes(16), UNTIL)
    return f"transcript:{UNTIL}:{digest}"


async def are_there(place: Place, *artifacts: str) -> list[bool]:
    store = ArtifactStore(str(place.store))
    return [await store.written_at(one) is not None for one in artifacts]


async def is_held(place: Place, transcript: str) -> bool:
    return await DatedStore(str(place.store), "transcripts").holds(transcript.rpartition(":")[2], UNTIL)


async def test_conversations_go_and_an_artifact_goes_where_nothing_else_names_it(place: Place) -> None:
    alone, shared, lately, unnamed = [await put(place) for _ in range(4)]
    mine, others = await said(place), await said(place)
    absent = f"sha256:{'0' * 64}"
    spoken = json.dumps({"artifact": alone, "nested": [{"pack": shared}, lately], "image": absent, "turn": mine})
    other = place.of("ReadFile", "crm", says=f"{shared} {others}")
    await place.begin(goal := place.of("ReadFile", says=spoken), other)
    digest = lately.removeprefix("sha256:")
    written = (datetime.now(UTC) + LATER - timedelta(days=3)).timestamp()
    os.utime(place.store / digest[:2] / digest, (written, written))
    whose = ("--repository", f"{place.owner}/shop")

    left = json.loads((await place.given(*whose, "--json")).stdout)
    assert (left["transcripts"], left["artifacts"]) == (1, [])
    assert sorted(left["artifacts_left"]) == sorted([alone, shared, lately]), "nobody looked who else names them"
    shown = json.loads((await place.given(*whose, "--artifacts", "--json")).stdout)
    assert (shown["artifacts"], sorted(shown["artifacts_left"])) == ([alone], sorted([shared, lately]))
    assert all(await are_there(place, alone, shared, lately, unnamed)), "shown is not deleted"
    assert await is_held(place, mine)

    done = await place.given(*whose, "--artifacts", "--yes")
    assert place.asked == [goal.id]
    assert await are_there(place, alone, shared, lately, unnamed) == [False, True, True, True]
    assert (await is_held(place, mine), await is_held(place, others)) == (False, True)
    assert "2 artifacts stay, which are named by their content and may be another's, too: sha256:" in done.stdout


async def test_the_store_is_left_where_people_say_so_and_it_is_told(place: Place) -> None:
    turn, artifact = await said(place), await put(place)
    await place.begin(goal := place.of("ReadFile", says=f"{turn} {artifact}"))
    done = await place.given("--repository", f"{place.owner}/shop", "--leave-stored", "--yes")
    assert place.asked == [goal.id]
    assert "The artifact store was not looked at: what it has of them stays." in done.stdout
    assert (await is_held(place, turn), await are_there(place, artifact)) == (True, [True])


async def test_a_store_that_does_not_answer_has_nothing_deleted(place: Place) -> None:
    turn = await said(place)
    await place.begin(place.of("ReadFile", says=turn))
    (place.store / "transcripts" / str(UNTIL)).rename(place.store / "elsewhere")
    (place.store / "transcripts").rmdir()
    (place.store / "transcripts").write_bytes(b"")
    broken = await place.given("--repository", f"{place.owner}/shop", "--yes")
    assert (broken.exit_code, place.asked) == (Exit.FAILED, [])
    assert "no execution is deleted yet. Give the command again" in broken.stderr


async def test_what_is_encrypted_is_read_with_its_key_and_never_taken_for_nothing(place: Place) -> None:
    artifact = f"sha256:{secrets.token_hex(32)}"
    sealed = encrypted(place.client)
    writing = replace(place, client=sealed)
    one = place.of("ReadFile", says=artifact, waits=True)
    await writing.begin(one)
    found = [each async for each in place.client.list_workflows(f"WorkflowId = '{one.id}'")]
    assert (await references(sealed, found)).artifacts == {artifact}
    for wrong in (place.client, encrypted(place.client)):
        with pytest.raises(Unreadable, match="cannot be decrypted here"):
            await references(wrong, found)


def encrypted(client: Client) -> Client:
    """The same with a key of its own."""
    key = SecretStr(base64.b64encode(secrets.token_bytes(32)).decode())
    codec = EncryptionCodec(KeyRing(current="a", keys={"a": key}), client.namespace)
    return Client(client.service_client, namespace=client.namespace, data_converter=data_converter(codec))
