"""The worker processes of the other side: bare temporalio, the App's key in memory, nothing in between.

    python -m bench.bare workflows|activities|both --address … --namespace … --github … --key …

The activity sends the same requests to the same twin as ours, by PyGithub on one connection: a token narrowed to the
repository, the commit, the contents, the end of the token. No guard, no Vault, no telemetry, no search attributes.
"""

import argparse
import asyncio
import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from github.Auth import Auth
from github.Requester import Requester
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from bench.bare_workflow import QUEUE_ACTIVITIES, QUEUE_BOTH, QUEUE_WORKFLOWS, BareReadFile, Found, Wanted
from deploy.ending import run_to_the_end

_THREADS = 32


class _Bearer(Auth):
    """The App's JWT first, then the token."""

    def __init__(self, bearer: str) -> None:
        self.bearer = bearer

    @property
    def token_type(self) -> str:
        return "Bearer"

    @property
    def token(self) -> str:
        return self.bearer


class BareGitHub:
    """The activity, with the key in memory."""

    def __init__(self, github: str, client_id: str, key: Path) -> None:
        self._github = github
        self._client_id = client_id
        self._key = cast("RSAPrivateKey", load_pem_private_key(key.read_bytes(), password=None))
        self._installations: dict[str, int] = {}

    @activity.defn(name="bare_read_file")
    def read_file(self, wanted: Wanted) -> Found:
        """Read one file, at the commit that HEAD names."""
        now = int(time.time())
        claims = {"iat": now - 60, "exp": now + 540, "iss": self._client_id}
        identity = _Bearer(jwt.encode(claims, self._key, algorithm="RS256"))
        requester = _requester(self._github, identity)
        repository = wanted.repository
        try:
            identity.bearer = self._token(requester, repository)
            sha = {"Accept": "application/vnd.github.sha"}
            commit = _ask(requester, "GET", f"/repos/{repository}/commits/HEAD", headers=sha).strip()
            where = f"/repos/{repository}/contents/{wanted.path}"
            file = json.loads(_ask(requester, "GET", where, parameters={"ref": commit}))
            _ask(requester, "DELETE", "/installation/token")
        finally:
            requester.close()
        return Found(commit=commit, blob=file["sha"], content=base64.b64decode(file["content"]).decode())

    def _token(self, requester: Requester, repository: str) -> str:
        if repository not in self._installations:
            found = json.loads(_ask(requester, "GET", f"/repos/{repository}/installation"))
            self._installations[repository] = found["id"]
        narrow = {"repositories": [repository.partition("/")[2]], "permissions": {"contents": "read"}}
        where = f"/app/installations/{self._installations[repository]}/access_tokens"
        return str(json.loads(_ask(requester, "POST", where, input=narrow))["token"])


def _requester(github: str, identity: Auth) -> Requester:
    return Requester(
        auth=identity,
        base_url=github,
        timeout=10,
        user_agent="bench",
        per_page=100,
        verify=True,
        retry=None,
        pool_size=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )


def _ask(requester: Requester, verb: str, path: str, **more: Any) -> str:
    status, _, text = requester.requestJson(verb, path, **more)
    if status >= 300:
        raise RuntimeError(f"{verb} {path}: {status} {text}")
    return text


async def main() -> None:
    parser = argparse.ArgumentParser(description="A worker on bare temporalio.")
    parser.add_argument("part", choices=("workflows", "activities", "both"))
    for name in ("address", "namespace", "github", "client-id"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--key", type=Path, required=True)
    given = parser.parse_args()
    client = await Client.connect(given.address, namespace=given.namespace)
    github = BareGitHub(given.github, given.client_id, given.key)
    queues = {"workflows": QUEUE_WORKFLOWS, "activities": QUEUE_ACTIVITIES, "both": QUEUE_BOTH}
    with ThreadPoolExecutor(_THREADS) as threads:
        await Worker(
            client,
            task_queue=queues[given.part],
            workflows=[] if given.part == "activities" else [BareReadFile],
            activities=[] if given.part == "workflows" else [github.read_file],
            activity_executor=threads,
            max_concurrent_activities=_THREADS,
        ).run()


if __name__ == "__main__":
    run_to_the_end(lambda: asyncio.run(main()))
