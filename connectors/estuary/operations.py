"""What Estuary is asked: its API for reading, and its tables for drafts and publications.

The API's GraphQL is to replace the tables, and has no way to publish yet. Paths are from the root of the host, so that
a twin can be both.
"""

from typing import Final

from pydantic import TypeAdapter

from connectors.estuary.models import (
    Draft,
    DraftError,
    Exchange,
    Exchanged,
    GraphAnswer,
    GraphRequest,
    LogLine,
    LogsWanted,
    NewDraft,
    NewPublication,
    Publication,
    SpecName,
    StagedSpecs,
)
from connectors.http import NOTHING, Operation

_CREATED: Final = 201
_PUBLICATIONS: Final = TypeAdapter(tuple[Publication, ...])
_DRAFTS: Final = TypeAdapter(tuple[Draft, ...])

EXCHANGE_KEY: Final = Operation("POST", "/api/v1/auth/token", TypeAdapter(Exchanged), body=Exchange, harmless=True)
QUERY: Final = Operation("POST", "/api/graphql", TypeAdapter(GraphAnswer), body=GraphRequest, harmless=True)
LIST_DRAFTS: Final = Operation("GET", "/rest/v1/drafts", _DRAFTS)
CREATE_DRAFT: Final = Operation("POST", "/rest/v1/drafts", _DRAFTS, body=NewDraft, status=_CREATED)
DELETE_DRAFT: Final = Operation("DELETE", "/rest/v1/drafts", _DRAFTS, harmless=True)
LIST_STAGED: Final = Operation("GET", "/rest/v1/draft_specs", TypeAdapter(tuple[SpecName, ...]))
STAGE_SPECS: Final = Operation(
    "POST", "/rest/v1/draft_specs", NOTHING, body=StagedSpecs, status=_CREATED, harmless=True
)
LIST_ERRORS: Final = Operation("GET", "/rest/v1/draft_errors", TypeAdapter(tuple[DraftError, ...]))
LIST_PUBLICATIONS: Final = Operation("GET", "/rest/v1/publications", _PUBLICATIONS)
CREATE_PUBLICATION: Final = Operation(
    "POST", "/rest/v1/publications", _PUBLICATIONS, body=NewPublication, status=_CREATED
)
VIEW_LOGS: Final = Operation(
    "POST", "/rest/v1/rpc/view_logs", TypeAdapter(tuple[LogLine, ...]), body=LogsWanted, harmless=True
)

LIVE_SPECS: Final = """\
query LiveSpecs($by: LiveSpecsBy!, $first: Int, $after: String) {
  liveSpecs(by: $by, first: $first, after: $after) {
    edges { node { catalogName userCapability liveSpec { catalogType lastPubId model } } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
"""What is published under some names."""

FLOW_STATUS: Final = """\
query FlowStatus($by: LiveSpecsBy!, $first: Int, $after: String) {
  liveSpecs(by: $by, first: $first, after: $after) {
    edges {
      node {
        catalogName
        userCapability
        liveSpec { catalogType lastPubId lastBuildId isDisabled updatedAt }
        status {
          type
          summary
          controller {
            error
            failures
            activation {
              lastActivated
              recentFailureCount
              nextRetry
              lastFailure { message ts }
              shardStatus { status }
            }
            publications { history { id completed detail isTouch result { type } errors { catalogName detail } } }
          }
          connector { message ts }
        }
        activeAlerts { alertType firedAt }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
"""How what is published does."""

QUERIES: Final = (LIVE_SPECS, FLOW_STATUS)
