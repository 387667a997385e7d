"""The steps that look once whether a service is healthy, with the ports they need."""

from activities.step import implements
from activities.verify.contracts import (
    CHECK_PAGE,
    QUERY_METRIC,
    CheckPageRequest,
    MetricSeen,
    PageChecked,
    QueryMetricRequest,
)
from connectors.errors import InvalidRequest
from connectors.probes.pages import Pages, Wanted
from connectors.probes.prometheus import Prometheus


class VerifyActivities:
    """The steps; they have no credential, and ask nobody for one.

    Args:
        pages: Looks at the pages that the deployment allows.
        prometheus: The deployment's; None where it has none.
    """

    def __init__(self, pages: Pages, prometheus: Prometheus | None) -> None:
        self._pages, self._prometheus = pages, prometheus

    @implements(CHECK_PAGE)
    async def check_page(self, request: CheckPageRequest) -> PageChecked:
        """Ask for a page once. That it does not answer is a result.

        Raises:
            InvalidRequest: The deployment lets no goal look there.
        """
        wanted = Wanted(
            status=frozenset(request.status), contains=request.contains, seconds=float(request.timeout_seconds)
        )
        found = await self._pages.look(request.url, wanted)
        return PageChecked(healthy=not found.why, why=found.why, status=found.status, milliseconds=found.milliseconds)

    @implements(QUERY_METRIC)
    async def query_metric(self, request: QueryMetricRequest) -> MetricSeen:
        """Ask for a number once. That there is none is a result.

        Raises:
            InvalidRequest: The deployment has no Prometheus, or it does not understand the expression.
            Unavailable: It does not answer.
        """
        if self._prometheus is None:
            raise InvalidRequest(
                "this deployment has no Prometheus to ask: whoever runs it names one in BANKSMAN_VERIFY_PROMETHEUS, or "
                "leave 'metrics' out of the manifest"
            )
        value, why = await self._prometheus.query(request.expression, seconds=float(request.timeout_seconds))
        return MetricSeen(value=value, why=why)
