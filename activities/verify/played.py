"""The same steps in a rehearsal: there is no service to look at, and what is not rehearsed is taken to go well."""

from activities.step import implements
from activities.verify.contracts import (
    CHECK_PAGE,
    QUERY_METRIC,
    CheckPageRequest,
    MetricSeen,
    PageChecked,
    QueryMetricRequest,
)


class PlayedVerifyActivities:
    """The steps; each says that nobody looked."""

    @implements(CHECK_PAGE)
    async def check_page(self, request: CheckPageRequest) -> PageChecked:
        """Ask nobody."""
        del request
        return PageChecked(healthy=True, milliseconds=0, played=True)

    @implements(QUERY_METRIC)
    async def query_metric(self, request: QueryMetricRequest) -> MetricSeen:
        """Ask nobody."""
        del request
        return MetricSeen(value=None, played=True)
