"""From a board to the JSON that Grafana reads, by grafana-foundation-sdk, so that its schema is held to."""

from collections.abc import Iterator
from typing import Final

from grafana_foundation_sdk.builders import common, dashboard, logs, loki, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    GridPos,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from observability import names
from observability.dashboards.board import COUNT, Board, Graph, Logs, Panel, Stat, Table

_PROMETHEUS: Final = DataSourceRef(type_val="prometheus", uid="prometheus")
_LOKI: Final = DataSourceRef(type_val="loki", uid="loki")
_WIDTH: Final = 24
_SIZES: Final[dict[type[Panel], tuple[int, int]]] = {Stat: (6, 4), Graph: (12, 8), Table: (12, 8), Logs: (24, 9)}
_REFS: Final = "ABCDEFGH"
VARIABLES: Final = {
    "environment": 'label_values(up{job="banksman"}, environment)',
    "goal": f"label_values({names.METRIC_GOALS_PARKED}, goal)",
    "provider": f"label_values({names.METRIC_PROVIDER_REQUESTS}, provider)",
}
"""What a dashboard can be narrowed to, and where Grafana finds the choices."""
_Built = stat.Panel | timeseries.Panel | table.Panel | logs.Panel


def rendered(board: Board) -> str:
    """The whole file."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(f"banksman-{board.name}")
        .description(board.what)
        .tags(["banksman"])
        .readonly()
        .timezone("browser")
        .refresh("30s")
        .time("now-6h", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(_others())
    )
    for name in ("environment", *board.variables):
        made.with_variable(_variable(name))
    for number, (panel, place) in enumerate(placed(board.panels), start=1):
        made.with_panel(_built(panel).id(number).title(panel.title).description(panel.what).grid_pos(place))
    return JSONEncoder(sort_keys=True, indent=1).encode(made.build()) + "\n"


def placed(panels: tuple[Panel, ...]) -> Iterator[tuple[Panel, GridPos]]:
    """From left to right, then below what was highest."""
    x = y = deepest = 0
    for panel in panels:
        width, height = _SIZES[type(panel)]
        if x + width > _WIDTH:
            x, y, deepest = 0, y + deepest, 0
        yield panel, GridPos(x=x, y=y, w=width, h=height)
        x, deepest = x + width, max(deepest, height)


def _built(panel: Panel) -> _Built:
    match panel:
        case Stat():
            return _stat(panel)
        case Graph():
            return _graph(panel)
        case Table():
            return (
                table.Panel()
                .datasource(_PROMETHEUS)
                .with_target(_query(panel.query).format(PromQueryFormat.TABLE).instant())
            )
        case Logs():
            return (
                logs.Panel()
                .datasource(_LOKI)
                .show_time(True)  # noqa: FBT003 - the SDK's
                .with_target(loki.Dataquery().expr(panel.query).ref_id("A").datasource(_LOKI))
            )


def _stat(panel: Stat) -> stat.Panel:
    made = _number(panel)
    # How much a counter has grown is reckoned from samples: 1 is 1.01 to Prometheus.
    return made.decimals(0) if panel.unit == COUNT else made


def _number(panel: Stat) -> stat.Panel:
    return (
        stat.Panel()
        .datasource(_PROMETHEUS)
        .unit(panel.unit)
        .no_value("none")
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(_colours(panel)))
        .with_target(_query(panel.query))
    )


def _colours(panel: Stat) -> list[Threshold]:
    if panel.red_from is not None:
        return [Threshold(color="green"), Threshold(value=panel.red_from, color="red")]
    if panel.red_below is not None:
        return [Threshold(color="red"), Threshold(value=panel.red_below, color="green")]
    return [Threshold(color="text")]


def _graph(panel: Graph) -> timeseries.Panel:
    legend = (
        common.VizLegendOptions()
        .show_legend(True)  # noqa: FBT003 - the SDK's
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
    )
    made = (
        timeseries.Panel()
        .datasource(_PROMETHEUS)
        .unit(panel.unit)
        .min(0)
        .fill_opacity(10)
        .legend(legend)
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    for reference, (shown, query) in zip(_REFS, panel.queries.items(), strict=False):
        made.with_target(_query(query, reference).legend_format(shown))
    return made


def _query(text: str, reference: str = "A") -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(text).ref_id(reference).datasource(_PROMETHEUS)


def _variable(name: str) -> dashboard.QueryVariable:
    """All of them at first, and also what has no such label."""
    return (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .datasource(_PROMETHEUS)
        .query(VARIABLES[name])
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)  # noqa: FBT003 - the SDK's
        .include_all(True)  # noqa: FBT003 - the SDK's
        .all_value(".*")
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )


def _others() -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink("Banksman")
        .type(DashboardLinkType.DASHBOARDS)
        .tags(["banksman"])
        .as_dropdown(True)  # noqa: FBT003 - the SDK's
        .keep_time(True)  # noqa: FBT003 - the SDK's
        .include_vars(True)  # noqa: FBT003 - the SDK's
    )
