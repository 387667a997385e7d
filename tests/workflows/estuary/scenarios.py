"""The ways that goals on Estuary can go."""

from activities.estuary.contracts import LOOK_AT_FLOW, PUBLISH_FLOW, TRY_FLOW, FlowSeen
from tests.workflows.estuary.answers import AWAY, CHANGED, DENIED, FAILED, LIVE, NOTHING, PUBLISHED, TRIED, WRONG
from tests.workflows.estuary.flows import Approved
from tests.workflows.played import Played
from workflows.estuary import goals

SCENARIOS = (
    Played(
        goal=goals.PUBLISH_FLOW,
        name="completed",
        answers={TRY_FLOW: [TRIED], PUBLISH_FLOW: [PUBLISHED], LOOK_AT_FLOW: [LIVE]},
    ),
    Played(goal=goals.PUBLISH_FLOW, name="nothing-to-do", answers={TRY_FLOW: [NOTHING]}),
    Played(goal=goals.PUBLISH_FLOW, name="refused", answers={TRY_FLOW: [WRONG]}),
    Played(goal=goals.PUBLISH_FLOW, name="refused-at-last", answers={TRY_FLOW: [TRIED], PUBLISH_FLOW: [FAILED]}),
    Played(goal=goals.PUBLISH_FLOW, name="denied", answers={TRY_FLOW: [DENIED]}),
    Played(
        goal=goals.PUBLISH_FLOW,
        name="planned-again",
        answers={TRY_FLOW: [TRIED], PUBLISH_FLOW: [CHANGED, PUBLISHED], LOOK_AT_FLOW: [LIVE]},
    ),
    Played(
        goal=goals.PUBLISH_FLOW,
        name="in-doubt",
        answers={TRY_FLOW: [TRIED], PUBLISH_FLOW: [PUBLISHED], LOOK_AT_FLOW: [FlowSeen()]},
    ),
    Approved(goal=goals.PUBLISH_FLOW, name="approved", answers={}),
    Played(goal=goals.FLOW_STATUS, name="completed", answers={LOOK_AT_FLOW: [LIVE]}),
    Played(goal=goals.FLOW_STATUS, name="denied", answers={LOOK_AT_FLOW: [DENIED]}),
    Played(goal=goals.FLOW_STATUS, name="outage-waited-out", answers={LOOK_AT_FLOW: [AWAY, LIVE]}),
)
