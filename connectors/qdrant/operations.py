"""What Qdrant Cloud's management API is asked, as its own description names it."""

from typing import Final

from pydantic import TypeAdapter

from connectors.http import Operation
from connectors.qdrant.models import (
    AskForQuote,
    Backups,
    BackupScheduleAnswer,
    BackupSchedules,
    ClusterAnswer,
    ClusterPage,
    CreateBackupSchedule,
    CreateCluster,
    CreateDatabaseKey,
    DatabaseKeyAnswer,
    DatabaseKeys,
    Ended,
    Packages,
    Quote,
)

_CLUSTERS: Final = "/api/cluster/v1/accounts/{account}/clusters"
_KEYS: Final = "/api/cluster/auth/v2/accounts/{account}/database-api-keys"
_BACKUPS: Final = "/api/cluster/backup/v1/accounts/{account}/backups"
_SCHEDULES: Final = "/api/cluster/backup/v1/accounts/{account}/backup_schedules"

LIST_CLUSTERS: Final = Operation("GET", _CLUSTERS, TypeAdapter(ClusterPage))
GET_CLUSTER: Final = Operation("GET", f"{_CLUSTERS}/{{cluster}}", TypeAdapter(ClusterAnswer))
CREATE_CLUSTER: Final = Operation("POST", _CLUSTERS, TypeAdapter(ClusterAnswer), body=CreateCluster)
# By its id, which no other cluster gets: to ask twice does no more. Its backups stay.
DELETE_CLUSTER: Final = Operation("DELETE", f"{_CLUSTERS}/{{cluster}}", TypeAdapter(Ended), harmless=True)
LIST_BACKUPS: Final = Operation("GET", _BACKUPS, TypeAdapter(Backups))
LIST_PACKAGES: Final = Operation("GET", "/api/booking/v1/accounts/{account}/packages", TypeAdapter(Packages))
GET_QUOTE: Final = Operation(
    "POST", "/api/booking/v1/accounts/{account}/quote", TypeAdapter(Quote), body=AskForQuote, harmless=True
)
LIST_KEYS: Final = Operation("GET", _KEYS, TypeAdapter(DatabaseKeys))
CREATE_KEY: Final = Operation("POST", _KEYS, TypeAdapter(DatabaseKeyAnswer), body=CreateDatabaseKey)
# Its answer is empty, and read all the same: a 200 that is not Qdrant's has ended no key.
DELETE_KEY: Final = Operation("DELETE", f"{_KEYS}/{{key}}", TypeAdapter(Ended), harmless=True)
LIST_SCHEDULES: Final = Operation("GET", _SCHEDULES, TypeAdapter(BackupSchedules))
CREATE_SCHEDULE: Final = Operation("POST", _SCHEDULES, TypeAdapter(BackupScheduleAnswer), body=CreateBackupSchedule)
