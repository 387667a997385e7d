"""GitHub, as a GitHub App: one that reads and writes, and one that destroys."""

from typing import Final

from connectors.provider import Copies, Credential, Provider, Secret, Twin

APP: Final = Secret(path="github/app", holds="the App's client id and private key")
DESTRUCTIVE_APP: Final = Secret(
    path="github/destructive-app", holds="client id and private key of the App that may delete and merge", destroys=True
)
WEBHOOK: Final = Secret(
    path="github/webhook", holds="what GitHub signs webhooks with, and while it is changed also what it did before"
)
SIGN_IN: Final = Secret(
    path="github/sign-in", holds="client id and client secret of the App that people sign in to the console by"
)
READ: Final = Credential(name="github-read", secret=APP, purpose="reads on GitHub")
WRITE: Final = Credential(name="github-write", secret=APP, purpose="writes on GitHub")
DELETE_BRANCH: Final = Credential(
    name="github-delete-branch", secret=DESTRUCTIVE_APP, purpose="deletes a branch on GitHub"
)
MERGE_PULL_REQUEST: Final = Credential(
    name="github-merge-pull-request", secret=DESTRUCTIVE_APP, purpose="merges a pull request on GitHub"
)

GITHUB: Final = Provider(
    name="github",
    title="GitHub",
    url="https://api.github.com",
    credentials=(READ, WRITE, DELETE_BRANCH, MERGE_PULL_REQUEST),
    own=(WEBHOOK, SIGN_IN),
    twin=Twin(
        port=8300,
        always=True,
        real="git repositories",
        copies=Copies(
            what="a repository's branches, tags, objects and up to 30 open pull requests with reviews and checks",
            leaves=("GitHub: rules of the repository", "GitHub: webhooks", "GitHub: closed pull requests and issues"),
            several=True,
        ),
    ),
)
