"""`make demo`, as often as one likes, whatever an earlier demonstration left.

Each run has a feature of its own to deploy, and shows what a person would type and the little of what comes of it that
matters. All is waited for with an end, and told as it is: who waits, what ended how, what was left out.
"""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Final

import httpx
from temporalio.client import Client
from temporalio.service import RPCError

from connectors.github.git import GitError
from deploy.ending import run_to_the_end
from deploy.local.demo.commands import bring_up
from deploy.local.demo.environment import Environment
from deploy.local.demo.failing import Failure
from deploy.local.demo.first_goals import FirstGoals
from deploy.local.demo.in_words import InWords
from deploy.local.demo.models_file import ModelsFile
from deploy.local.demo.showing import Showing
from deploy.local.demo.small_model import OnASmallModel
from deploy.local.demo.terminal import Broken, DemoFailed, say, terminal

_INTERRUPTED: Final = 130


async def demonstrate(*, approve: bool, way: Failure | None) -> None:
    """All of it.

    Raises:
        DemoFailed: One sentence says why.
        Broken: It ended otherwise than promised.
    """
    stack = await bring_up()
    client = await Client.connect(stack.temporal.address, namespace=stack.temporal.namespace)
    environment = Environment(stack, client)
    first = FirstGoals(environment)
    words = InWords(environment, first, approve)
    await ModelsFile(environment).put_back()
    try:
        if way is None:
            await first.read_a_file()
            await words.show()
            await OnASmallModel(environment, first).show()
        await _the_rest(environment, first, approve=approve, way=way)
    finally:
        await words.end()
    await first.tell_who_waits()
    say("\nThe environment stays up: `banksman status` tells what is where, `make down` ends it.")


async def _the_rest(environment: Environment, first: FirstGoals, *, approve: bool, way: Failure | None) -> None:
    if missing := await environment.services():
        if way is not None:
            raise DemoFailed(f"FAIL={way} cannot be shown, because {missing}")
        await _without_services(first, missing, approve=approve)
    else:
        await Showing(environment, approve, way).run()


async def _without_services(first: FirstGoals, missing: str, *, approve: bool) -> None:
    say(f"\nLeft out: DeployNewFeature, a feature of a web service, because {missing}")
    if approve:
        await first.delete_a_branch()
    else:
        await first.ask_to_delete()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.demo", description="Deploy a feature, and show it.")
    parser.add_argument("--approve", action="store_true", help="Alice of Slack's twin says yes; nobody has to be there")
    parser.add_argument("--fail", type=Failure, choices=list(Failure), help="let it fail in this way, and recover")
    parser.add_argument("--record", type=Path, help="keep what is said, with its times, in this file")
    return parser.parse_args()


def main() -> int:
    """Run it.

    Returns:
        0 where all went as promised, 1 where it did not or could not be shown, 130 where somebody stopped it.
    """
    given = _arguments()
    if given.record:
        terminal.record(given.record)
    try:
        asyncio.run(demonstrate(approve=given.approve, way=given.fail))
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; what it had begun is taken back. The environment goes on: `make down` ends it\n")
        return _INTERRUPTED
    except Broken as broken:
        sys.stderr.writelines(f"error: otherwise than promised: {line}\n" for line in broken.differences)
    except DemoFailed as error:
        sys.stderr.write(f"error: {error}\n")
    except (GitError, RPCError, httpx.HTTPError, RuntimeError, OSError) as error:
        sys.stderr.write(f"error: a part of the environment went away ({error}): `banksman status` tells which\n")
    else:
        return 0
    return 1


if __name__ == "__main__":
    run_to_the_end(lambda: sys.exit(main()))
