"""What a test asks of the twin: its score, cues in front of that, and the bills.

`GET /_twin/score` shows the score, `PUT` plays another from its beginning, in YAML or JSON. `POST /_twin/cues` takes
one cue or a list, each played once unless it says how many times; `GET` shows those left, `DELETE` forgets them. `GET
/_twin/bills` tells what was billed, `DELETE` forgets it.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.models.twin.score import ScoreError, read_cues, read_score
from connectors.models.twin.stage import Stage


class Control:
    """The controls.

    Args:
        stage: Of which.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/_twin/score", self._score, methods=["GET"]),
            Route("/_twin/score", self._rewrite, methods=["PUT"]),
            Route("/_twin/cues", self._cues, methods=["GET"]),
            Route("/_twin/cues", self._plant, methods=["POST"]),
            Route("/_twin/cues", self._unplant, methods=["DELETE"]),
            Route("/_twin/bills", self._bills, methods=["GET"]),
            Route("/_twin/bills", self._forget, methods=["DELETE"]),
        ]

    async def _score(self, request: Request) -> Response:
        del request
        return JSONResponse(self._stage.score.model_dump(mode="json"))

    async def _rewrite(self, request: Request) -> Response:
        try:
            self._stage.rewrite(read_score(await request.body()))
        except ScoreError as error:
            return _unplayable(error)
        return Response(status_code=204)

    async def _cues(self, request: Request) -> Response:
        del request
        return JSONResponse([one.model_dump(mode="json") for one in self._stage.planted])

    async def _plant(self, request: Request) -> Response:
        try:
            cues = read_cues(await request.body())
        except ScoreError as error:
            return _unplayable(error)
        self._stage.plant(cues)
        return JSONResponse([one.model_dump(mode="json") for one in cues], status_code=201)

    async def _unplant(self, request: Request) -> Response:
        del request
        self._stage.unplant()
        return Response(status_code=204)

    async def _bills(self, request: Request) -> Response:
        del request
        return JSONResponse(self._stage.ledger.statement().model_dump(mode="json"))

    async def _forget(self, request: Request) -> Response:
        del request
        self._stage.ledger.forget()
        return Response(status_code=204)


def _unplayable(error: ScoreError) -> Response:
    return JSONResponse({"message": str(error)}, status_code=422)
