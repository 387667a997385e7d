"""Qdrant, as one account of Qdrant Cloud with four management keys, and two keys for each database."""

from typing import Final

from connectors.provider import Copies, Credential, Provider, Secret, Twin

READING_KEY: Final = Secret(path="qdrant/reading-key", holds="account id and a management key that reads")
WRITING_KEY: Final = Secret(
    path="qdrant/writing-key", holds="account id and a management key that makes clusters, database keys and backups"
)
BUYING_KEY: Final = Secret(
    path="qdrant/buying-key", holds="account id and a management key that makes clusters", destroys=True
)
DELETING_KEY: Final = Secret(
    path="qdrant/deleting-key", holds="account id and a management key that deletes clusters", destroys=True
)
READERS: Final = Secret(path="qdrant/readers/+", holds="address and reading key of one database each")
WRITERS: Final = Secret(path="qdrant/writers/+", holds="address and managing key of one database each")

READ: Final = Credential(name="qdrant-read", secret=READING_KEY, purpose="reads at Qdrant Cloud")
WRITE: Final = Credential(name="qdrant-write", secret=WRITING_KEY, purpose="makes clusters and backups at Qdrant Cloud")
ISSUE: Final = Credential(
    name="qdrant-issue",
    secret=WRITING_KEY,
    purpose="issues the keys of a database",
    keeps=(READERS, WRITERS),
)
BUY: Final = Credential(name="qdrant-buy", secret=BUYING_KEY, purpose="buys a cluster at Qdrant Cloud")
DELETE: Final = Credential(name="qdrant-delete", secret=DELETING_KEY, purpose="deletes a cluster at Qdrant Cloud")
FORGET: Final = Credential(
    name="qdrant-forget",
    secret=READING_KEY,
    purpose="forgets the keys of a database that is gone",
    forgets=(READERS, WRITERS),
)
SEARCH: Final = Credential(name="qdrant-search", secret=READERS, purpose="reads a Qdrant database")
CHANGE: Final = Credential(name="qdrant-change", secret=WRITERS, purpose="changes a Qdrant database")

QDRANT: Final = Provider(
    name="qdrant",
    title="Qdrant",
    url="https://api.cloud.qdrant.io",
    credentials=(READ, WRITE, ISSUE, BUY, DELETE, FORGET, SEARCH, CHANGE),
    twin=Twin(
        port=8306,
        copies=Copies(
            what="clusters and one price; or of one database its collections with configuration, and aliases",
            leaves=(
                "Qdrant: points, of which there are as many made-up ones, a thousand at most",
                "Qdrant: keys",
                "Qdrant: backups and their schedules",
            ),
            several=True,
        ),
    ),
)
