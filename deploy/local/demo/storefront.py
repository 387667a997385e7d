"""The sample service of a demonstration: its repository behind GitHub's twin, and its page."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Final

import httpx

from connectors.authorities import authorities
from deploy.local.demo.commands import run_to_its_end, show_command
from deploy.local.demo.environment import Environment
from deploy.local.demo.features import MANIFEST, MIGRATIONS, READ
from deploy.local.demo.pull_requests import bare_of
from deploy.local.demo.terminal import DemoFailed, say
from deploy.local.example import SERVICE_REPOSITORY
from deploy.local.platform.config import PlatformConfig
from deploy.local.platform.consumers import login_wanted
from deploy.local.platform.model import Wanted
from workflows.manifest.needs import NeonNeed
from workflows.manifest.reading import read_manifest
from workflows.neon.goals import ISSUE_NEON_LOGIN

ENVIRONMENT: Final = "staging"
NAME: Final = "storefront-staging"
_VISITS: Final = 20
_OK: Final = 200
_AGAIN: Final = 1.0
_LOGIN: Final = 120.0
_WHOLE: Final = ("Hard hat", "seen ", "Like Hard hat: ")


@dataclass(frozen=True)
class Visits:
    """What so many visitors saw, one after another.

    Attributes:
        well: How many got a page.
        new: How many of them saw what is new.
    """

    all: int
    well: int
    new: int


@dataclass
class Storefront:
    """The service on one environment."""

    environment: Environment

    @property
    def page(self) -> str:
        """Where people see it."""
        where = self.environment.now().platform
        if where is None:
            raise DemoFailed("there is no platform that runs services: `banksman status` tells why")
        return f"{where.url}/{NAME}/"

    async def main(self) -> str:
        """The commit of its main branch."""
        return await bare_of(self.environment, SERVICE_REPOSITORY).resolve("refs/heads/main") or ""

    async def files(self) -> dict[str, str]:
        """Those of the main branch that a change is made from.

        Raises:
            DemoFailed: One of them is gone.
        """
        bare, commit, found = bare_of(self.environment, SERVICE_REPOSITORY), await self.main(), dict[str, str]()
        tree = await bare.tree(commit, recursive=True) if commit else []
        for path in (
            *READ,
            *(one.path for one in tree if one.size is not None and one.path.startswith(f"{MIGRATIONS}/")),
        ):
            item = await bare.item(commit, path) if commit else None
            content = await bare.blob(item.sha) if item else None
            if content is None:
                raise DemoFailed(f"{SERVICE_REPOSITORY} has no {path!r} on its main branch: begin anew")
            found[path] = content.decode()
        return found

    async def visits(self, sees: str, *, count: int = _VISITS) -> Visits:
        """Look at the page so often: the platform shares visitors out evenly."""
        page = self.page
        async with httpx.AsyncClient(verify=authorities(), timeout=20) as browser:
            try:
                answers = [await browser.get(page) for _ in range(count)]
            except httpx.HTTPError:
                answers = list[httpx.Response]()
        well = [one for one in answers if one.status_code == _OK]
        return Visits(all=count, well=len(well), new=len([one for one in well if sees in one.text]))

    async def is_whole(self) -> bool:
        """Whether it was deployed, and shows what its database, its cache and its collection have.

        These forget all when the environment ends, and the service is still there afterwards.
        """
        seen = [await self.visits(words, count=1) for words in _WHOLE]
        return all(one.new for one in seen)

    async def ask_for_a_login(self) -> None:
        """Have a login to its database issued, which reads, and which the platform finds in Vault.

        Raises:
            DemoFailed: There is none.
        """
        wanted = login_wanted(await self._database())
        text = show_command(ISSUE_NEON_LOGIN.name, wanted, "--wait")
        ended = await run_to_its_end(ISSUE_NEON_LOGIN.name, text, seconds=_LOGIN)
        say(f"  it reads, until {ended.told('expires_at')[:10]}; where it is, only Vault tells: {ended.told('secret')}")

    async def branches(self) -> list[str]:
        """The names of those that its database has."""
        project = (await self._database()).project
        config = json.loads((self.environment.folder.twins / "neon.json").read_text())
        url = f"{self.environment.stack.twins['neon'].url}/projects/{project}/branches"
        async with httpx.AsyncClient(verify=authorities(), timeout=60) as hands:
            answer = await hands.get(url, headers={"Authorization": f"Bearer {config['keys'][0]}"})
        return sorted(str(one["name"]) for one in answer.raise_for_status().json()["branches"])

    async def _database(self) -> NeonNeed:
        [need] = read_manifest((await self.files())[MANIFEST].encode()).manifest.needs.neon
        return need

    async def until_all_see(self, sees: str, *, seconds: float) -> Visits:
        """Look until all visitors see it, which they do when its release is no longer watched; or how it is then."""
        deadline = time.monotonic() + seconds
        seen = await self.visits(sees)
        while seen.new < seen.all and time.monotonic() < deadline:
            await asyncio.sleep(_AGAIN)
            seen = await self.visits(sees)
        return seen

    async def declared(self) -> Wanted:
        """What its program declared last, as the platform has it."""
        return Wanted.model_validate_json((await self._control("GET")).content)

    async def change_by_hand(self, **update: object) -> Wanted:
        """Change it past everybody, as somebody with the platform's key would."""
        changed = (await self.declared()).model_copy(update=update)
        await self._control("PUT", changed.model_dump_json(by_alias=True))
        return changed

    async def _control(self, method: str, body: str | None = None) -> httpx.Response:
        config = PlatformConfig.model_validate_json((self.environment.folder.root / "platform.json").read_bytes())
        headers = {"Authorization": f"Bearer {config.change}", "Content-Type": "application/json"}
        async with httpx.AsyncClient(verify=authorities(), timeout=60) as hands:
            answer = await hands.request(
                method, f"http://{config.control}/v1/services/{NAME}", headers=headers, content=body
            )
        if answer.is_error:
            raise DemoFailed(f"the platform refuses {method} of {NAME!r} ({answer.status_code})")
        return answer
