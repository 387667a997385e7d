"""How clients talk to providers by HTTP: time limits, errors of the one tree, turns, spans and metrics, in one place.

A provider's client declares its operations, says by a `Dialect` how the provider tells what went wrong, and asks:

    GET_DATABASE = Operation("GET", "/redis/database/{id}", TypeAdapter(Database))
    api = Api(Dialect(provider=UPSTASH, secret=ACCOUNT), base_url=…)
    async with api.open(httpx.BasicAuth(…)) as session:
        database = await session.ask(Call(GET_DATABASE, f"the database {name!r}", path={"id": name}))

Nothing is tried again here: Temporal tries the step again.
"""

from connectors.http.api import Api, HeaderAuth, Session
from connectors.http.dialect import Dialect, Problem, member
from connectors.http.operation import NOTHING, Call, Operation
from connectors.http.pages import by_cursor, by_link, by_number, pages

__all__ = [
    "NOTHING",
    "Api",
    "Call",
    "Dialect",
    "HeaderAuth",
    "Operation",
    "Problem",
    "Session",
    "by_cursor",
    "by_link",
    "by_number",
    "member",
    "pages",
]
