"""The base of twins of HTTP APIs: each says who may call, how its provider refuses, and what each operation does.

In front of all stand the faults and the controls of `connectors.twins.faults`. Then, for each request: what was due by
the twin's clock has happened; the caller is looked at; what the twin does not know it refuses with 501, in its
provider's form; the rate is counted; the request is checked, answered, and the answer checked before it leaves.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final

from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.http.operation import Operation
from connectors.limits import Bucket, Rate
from connectors.twins.clock import TwinClock
from connectors.twins.faults import FaultInjector
from connectors.twins.handlers import handlers
from connectors.twins.problems import Problem

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
Rates = Mapping[Operation[Any] | None, Rate]
"""How much may be asked, by operation; None for all of them together."""

_NO_LIMITS: Final[Rates] = MappingProxyType({})


class Twin(ABC):
    """A provider, as far as its client asks it. The state is the subclass's own; one event loop changes it.

    Args:
        clock: Of all that takes time and all that expires.
        rates: Limits of the account.
    """

    malformed: ClassVar[int] = 400
    """The status with which this provider refuses a request that does not fit."""
    nulls: ClassVar[bool] = False
    """Whether this provider answers fields without a value as null, and does not leave them out."""

    def __init__(self, *, clock: TwinClock | None = None, rates: Rates = _NO_LIMITS) -> None:
        self.clock = clock or TwinClock()
        self._buckets = {one: Bucket(rate, self.clock()) for one, rate in rates.items()}

    @abstractmethod
    def authorise(self, request: Request) -> object:
        """Who calls; handlers get it as `caller`.

        Raises:
            Problem: Nobody who may.
        """

    @abstractmethod
    def problem(self, problem: Problem) -> JsonValue:
        """A refusal's body, in the provider's form."""

    def limited(self, wait: float) -> Problem:
        """How the provider refuses what comes too fast.

        Args:
            wait: Seconds.
        """
        return Problem(429, "Too many requests", headers={"Retry-After": str(math.ceil(wait))})

    def application(self) -> Starlette:
        """The twin as an application; `app.state.twin` is the twin itself."""
        known = handlers(self, malformed=self.malformed, nulls=self.nulls)
        routes = [
            Route(one.operation.path, self._endpoint(one.operation, one.answer), methods=[one.operation.method])
            for one in known
        ]
        every = Route("/{path:path}", self._endpoint(None, self._unknown), methods=list(_METHODS))
        faults = Middleware(FaultInjector, clock=self.clock, limited=lambda wait: self._refuse(self.limited(wait)))
        refusals = {Problem: self._refused, 500: self._refused}
        app = Starlette(routes=[*routes, every], middleware=[faults], exception_handlers=refusals)
        app.state.twin = self
        return app

    @property
    def operations(self) -> list[Operation[Any]]:
        """What it knows."""
        return [one.operation for one in handlers(self, malformed=self.malformed, nulls=self.nulls)]

    def _endpoint(
        self, operation: Operation[Any] | None, answer: Callable[[Request, object], Coroutine[Any, Any, Response]]
    ) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        async def endpoint(request: Request) -> Response:
            self.clock.run()
            caller = self.authorise(request)
            self._spend(operation)
            return await answer(request, caller)

        return endpoint

    def _spend(self, operation: Operation[Any] | None) -> None:
        for one in dict.fromkeys((None, operation)):
            if one in self._buckets and (wait := self._buckets[one].take(self.clock())) > 0:
                raise self.limited(wait)

    async def _unknown(self, request: Request, _caller: object) -> Response:
        raise Problem(501, f"this twin does not know {request.method} {request.url.path}")

    async def _refused(self, _request: Request, error: Exception) -> Response:
        return self._refuse(error if isinstance(error, Problem) else Problem(500, "Internal error"))

    def _refuse(self, problem: Problem) -> Response:
        return JSONResponse(self.problem(problem), status_code=problem.status, headers=problem.headers)
