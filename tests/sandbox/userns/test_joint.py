"""Both containers of a run have the same user, whomever the engine makes of it on the host: they meet all the same."""

import asyncio
import uuid

import pytest

from sandbox.docker.hardening import JOINT
from sandbox.docker.provider import DockerSandbox, Part
from sandbox.pulumi.joint import joint_volume
from sandbox.spec import RunSpec

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

LISTEN = f"""
import socket
with socket.socket(socket.AF_UNIX) as server:
    server.bind("{JOINT}/meeting.sock")
    server.listen()
    server.accept()[0].sendall(b"met")
"""
CALL = f"""
import os, socket, time
while not os.path.exists("{JOINT}/meeting.sock"):
    time.sleep(0.02)
with socket.socket(socket.AF_UNIX) as client:
    while True:
        try:
            client.connect("{JOINT}/meeting.sock")
            break
        except ConnectionRefusedError:
            time.sleep(0.02)
    print(client.recv(10))
"""


async def test_two_containers_of_a_run_meet_by_a_socket(sandbox: DockerSandbox, image: str) -> None:
    async with joint_volume(sandbox.containers, "meeting", 60) as volume:
        _, called = await asyncio.gather(
            *(
                sandbox.run_part(
                    RunSpec(run_id=uuid.uuid4().hex[:12], image=image, argv=("python3", "-c", program)),
                    Part(volume=volume),
                )
                for program in (LISTEN, CALL)
            )
        )
    assert called.stdout.text.strip() == "b'met'", called.stderr.text
