"""What GitHub's twin answers: bodies in the shape of GitHub's published description. Pure."""

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from connectors.github.bare import CommitObject, Person, TreeItem

Json = dict[str, object]

LINK_MODE: Final = "120000"
# GitHub tells these for every repository; the braces are URI templates (RFC 6570), for callers to fill in.
_REPOSITORY_URLS: Final[Mapping[str, str]] = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}
_ACCOUNT_URLS: Final[Mapping[str, str]] = {
    "events_url": "/events{/privacy}",
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "organizations_url": "/orgs",
    "received_events_url": "/received_events",
    "repos_url": "/repos",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
}


def number(*names: str) -> int:
    """A stable id for what has names only, whatever else there is."""
    return zlib.crc32("/".join(names).lower().encode())


def node_id(kind: str, value: object) -> str:
    """GitHub's other id of a thing."""
    return base64.b64encode(f"{kind}:{value}".encode()).decode()


def zulu(moment: datetime) -> str:
    """A time as GitHub writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Site:
    """The twin's address, and what stands for accounts."""

    root: str

    def account(self, login: str) -> Json:
        """An organisation."""
        url = f"{self.root}/users/{login}"
        return {
            "login": login,
            "id": number(login),
            "node_id": node_id("Organization", login),
            "avatar_url": f"{self.root}/avatars/{login}",
            "gravatar_id": "",
            "url": url,
            "html_url": f"{self.root}/{login}",
            "type": "Organization",
            "site_admin": False,
            **{name: url + rest for name, rest in _ACCOUNT_URLS.items()},
        }


@dataclass(frozen=True)
class RepositoryPage:
    """What the twin says of one repository."""

    site: Site
    owner: str
    name: str
    id: int | None = None
    """Where it had another name before; else it is made of its name."""
    archived: bool = False

    @property
    def number(self) -> int:
        """The repository's id."""
        return number(self.owner, self.name) if self.id is None else self.id

    @property
    def url(self) -> str:
        """Of the API."""
        return f"{self.site.root}/repos/{self.owner}/{self.name}"

    @property
    def html_url(self) -> str:
        """Of the page that people would see."""
        return f"{self.site.root}/{self.owner}/{self.name}"

    def repository(self, default_branch: str, *, changed: datetime) -> Json:
        """The repository itself."""
        full_name = f"{self.owner}/{self.name}"
        zeros = ("forks", "open_issues", "stargazers", "watchers", "network", "subscribers")
        features = ("issues", "projects", "wiki", "pages", "discussions", "downloads")
        return {
            "id": self.number,
            "node_id": node_id("Repository", full_name),
            "name": self.name,
            "full_name": full_name,
            "owner": self.site.account(self.owner),
            "private": True,
            "visibility": "private",
            "fork": False,
            "archived": self.archived,
            "disabled": False,
            "url": self.url,
            "html_url": self.html_url,
            "clone_url": f"{self.html_url}.git",
            "git_url": f"{self.html_url}.git",
            "ssh_url": f"{self.html_url}.git",
            "svn_url": self.html_url,
            "default_branch": default_branch,
            "size": 0,
            **{name: self.url + rest for name, rest in _REPOSITORY_URLS.items()},
            **dict.fromkeys(("description", "homepage", "language", "license", "mirror_url")),
            **{f"{name}_count": 0 for name in zeros},
            **dict.fromkeys(("forks", "open_issues", "watchers"), 0),
            **{f"has_{name}": name == "issues" for name in features},
            **dict.fromkeys(("created_at", "updated_at", "pushed_at"), zulu(changed)),
        }

    def branch(self, name: str, sha: str) -> Json:
        """One branch of a list, which protects none."""
        return {"name": name, "commit": {"sha": sha, "url": f"{self.url}/commits/{sha}"}, "protected": False}

    def commit(self, info: CommitObject) -> Json:
        """One commit, without its diff."""
        url = f"{self.url}/commits/{info.sha}"
        return {
            "sha": info.sha,
            "node_id": node_id("Commit", info.sha),
            "url": url,
            "html_url": f"{self.html_url}/commit/{info.sha}",
            "comments_url": f"{url}/comments",
            "author": None,
            "committer": None,
            "commit": {
                "url": f"{self.url}/git/commits/{info.sha}",
                "author": _signature(info.author),
                "committer": _signature(info.committer),
                "message": info.message,
                "comment_count": 0,
                "tree": {"sha": info.tree, "url": f"{self.url}/git/trees/{info.tree}"},
            },
            "parents": [
                {"sha": one, "url": f"{self.url}/commits/{one}", "html_url": f"{self.html_url}/commit/{one}"}
                for one in info.parents
            ],
        }

    def content(self, item: TreeItem, *, ref: str) -> Json:
        """What the contents API says of any path; without content."""
        kinds = {"tree": "dir", "commit": "submodule"}
        kind = "symlink" if item.mode == LINK_MODE else kinds.get(item.type, "file")
        path = quote(item.path)
        url = f"{self.url}/contents/{path}?ref={ref}"
        git = f"{self.url}/git/{'blobs' if item.type == 'blob' else 'trees'}/{item.sha}"
        html = f"{self.html_url}/{'blob' if item.type == 'blob' else 'tree'}/{ref}/{path}"
        return {
            "type": kind,
            "size": item.size or 0,
            "name": item.path.rpartition("/")[2],
            "path": item.path,
            "sha": item.sha,
            "url": url,
            "git_url": git,
            "html_url": html,
            "download_url": html if item.type == "blob" else None,
            "_links": {"self": url, "git": git, "html": html},
        }

    def tree(self, sha: str, items: Sequence[TreeItem], *, truncated: bool) -> Json:
        """A tree, with its entries."""
        return {
            "sha": sha,
            "url": f"{self.url}/git/trees/{sha}",
            "tree": [self._entry(item) for item in items],
            "truncated": truncated,
        }

    def _entry(self, item: TreeItem) -> Json:
        entry: Json = {"path": item.path, "mode": item.mode, "type": item.type, "sha": item.sha}
        match item.type:
            case "blob":
                return entry | {"size": item.size, "url": f"{self.url}/git/blobs/{item.sha}"}
            case "tree":
                return entry | {"url": f"{self.url}/git/trees/{item.sha}"}
            case _:
                return entry

    def blob(self, sha: str, content: bytes) -> Json:
        """A blob, in base64."""
        return {
            "sha": sha,
            "node_id": node_id("Blob", sha),
            "size": len(content),
            "url": f"{self.url}/git/blobs/{sha}",
            "encoding": "base64",
            "content": base64.encodebytes(content).decode(),
        }


def _signature(person: Person) -> Json:
    return {"name": person.name, "email": person.email, "date": person.date}
