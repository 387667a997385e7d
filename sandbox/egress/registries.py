"""Which package registries a mirror serves, and the configuration of nginx that says exactly that.

The mirror is nginx's own cache. It ends TLS towards the registry, so that path and digest of every download can be
recorded, which a tunnel through the allow-list proxy hides. What a run sends is reduced to a host of the list, a path
and one of three content types: no header, query or body of it reaches the registry or the key of the cache, so that
one run can neither publish, nor change what another one gets.
"""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from sandbox.spec import HOST_PATTERN, MIB, Host

MIRROR_PORT: Final = 8090
RECORD_FILE: Final = "record.js"
_LONGEST_PATH: Final = 1000  # in characters: a line of the log stays whole
_MOST_AT_ONCE: Final = 64  # requests of one run, so that it cannot use up the mirror of others
_INDEX_TYPES: Final = (
    "application/json application/vnd.pypi.simple.v1+json application/vnd.pypi.simple.v1+html "
    "application/vnd.npm.install-v1+json"
)

RegistryUrl = Annotated[str, Field(pattern=rf"^https://{HOST_PATTERN}/([A-Za-z0-9._~@+-]+/)*$", max_length=500)]


class MirrorSettings(BaseModel):
    """The registries of one purpose.

    A registry of the list may have a private address: the deployment names it, and its certificate proves it.

    Attributes:
        python_index: A simple index (PEP 503, 691), with the slash at its end; None for none.
        npm_registry: An npm registry, with the slash at its end; None for none.
        go_proxy: A proxy of Go's modules, with the slash at its end; None for none. It has to mirror the checksum
            database as well. A public one fetches whatever module it is asked for, from wherever that lies.
        go_sums: Whose signature says which content a module has: a name that the go command knows, or a verifier's
            key. It cannot be left out.
        files: Other hosts that these lead to.
        authorities: Certificates (PEM) to trust beside the usual ones, for registries of one's own.
        fresh_seconds: How long an answer is served without asking whether it is still the same; registries' own wishes
            would leave some of them without any cache.
        cache_bytes: What is kept, in memory, for as long as the worker lives; a download must fit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    python_index: RegistryUrl | None = "https://pypi.org/simple/"
    npm_registry: RegistryUrl | None = "https://registry.npmjs.org/"
    go_proxy: RegistryUrl | None = None
    go_sums: str = Field(
        default="sum.golang.org", pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+(\+[A-Za-z0-9+/=]+)*$", max_length=300
    )
    files: tuple[Host, ...] = ("files.pythonhosted.org",)
    authorities: str = Field(default="", pattern=r"^[\x20-\x7e\n]*$", max_length=MIB)
    fresh_seconds: int = Field(default=600, ge=1, le=86400)
    cache_bytes: int = Field(default=512 * MIB, ge=16 * MIB)

    @property
    def hosts(self) -> tuple[str, ...]:
        """All that are mirrored."""
        indexes = (url.split("/")[2] for url in (self.python_index, self.npm_registry, self.go_proxy) if url)
        return tuple(dict.fromkeys((*indexes, *self.files)))

    def environment(self, address: str) -> dict[str, str]:
        """What makes pip, uv, npm and go ask the mirror at this address; what they ask elsewhere is refused there."""
        found = {"NO_PROXY": address, "no_proxy": address}
        if self.python_index is not None:
            index = _mirrored(self.python_index, address)
            found |= {"PIP_INDEX_URL": index, "PIP_TRUSTED_HOST": address, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
            found |= {"UV_DEFAULT_INDEX": index, "UV_INDEX_URL": index, "UV_INSECURE_HOST": address}
        if self.npm_registry is not None:
            found |= {"npm_config_registry": _mirrored(self.npm_registry, address), "npm_config_audit": "false"}
            found |= {"npm_config_fund": "false", "npm_config_update_notifier": "false"}
        if self.go_proxy is not None:
            found |= {"GOPROXY": _mirrored(self.go_proxy, address).rstrip("/"), "GOSUMDB": self.go_sums}
        return found


def _mirrored(url: str, address: str) -> str:
    return f"http://{address}:{MIRROR_PORT}/{url.removeprefix('https://')}"


RECORD_PROGRAM: Final = """\
import crypto from 'crypto';

let hash, whole = false;  // of one request: each has its own copy of all this

function body(r, data, flags) {
    hash = hash || crypto.createHash('sha256');
    hash.update(data);
    whole = flags.last;
    r.sendBuffer(data, flags);
}

function digest(r) {
    return whole ? hash.digest('hex') : '';
}

// A registry is asked to the end even when the run went away, and only then nginx writes its own line.
function asked(r) {
    r.warn(`asked ${r.variables.request_id} ${r.remoteAddress} ${r.variables.request_uri} .`);
    return '';
}

export default {body, digest, asked};
"""


_RECORD: Final = """\
  js_path /workspace;
  js_import record from record.js;
  js_set $digest record.digest;
  js_set $asked record.asked;
  log_format record 'gave $request_id $remote_addr $status $body_bytes_sent $from $digested $request_method '
                    '$request_uri .';
  access_log /dev/stdout record;
  map $upstream_cache_status $from { default asked; "" nowhere; HIT cache; STALE cache; UPDATING cache; }
  map $digest $digested { default $digest; "" -; }"""
_ASKING: Final = """\
  map $http_accept $kind {
    default */*;
    ~application/vnd\\.pypi\\.simple\\.v1\\+json application/vnd.pypi.simple.v1+json;
    ~application/vnd\\.npm\\.install-v1\\+json application/vnd.npm.install-v1+json;
  }
  proxy_pass_request_headers off;
  proxy_pass_request_body off;
  proxy_set_header Host $registry;
  proxy_set_header Content-Length "";
  proxy_set_header Connection "";
  proxy_set_header Accept $kind;
  proxy_set_header Accept-Encoding identity;
  proxy_set_header User-Agent banksman-mirror;
  proxy_http_version 1.1;
  proxy_connect_timeout 10s;
  proxy_ssl_server_name on;
  proxy_ssl_verify on;
  proxy_ssl_verify_depth 5;
  proxy_ssl_trusted_certificate /tmp/trusted.pem;
  resolver 127.0.0.11 valid=1h ipv6=off;"""
_CACHE: Final = """\
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  proxy_cache packages;
  proxy_cache_key "$registry$uri $kind";
  proxy_cache_use_stale error timeout invalid_header updating http_500 http_502 http_503 http_504 http_429;
  proxy_cache_revalidate on;
  proxy_cache_lock on;
  proxy_ignore_headers Cache-Control Expires Set-Cookie Vary X-Accel-Expires X-Accel-Redirect X-Accel-Charset
                       X-Accel-Buffering;
  proxy_hide_header Set-Cookie;"""


def nginx_configuration(settings: MirrorSettings) -> str:
    """One place per host; what is asked for is said when it begins, and with its digest when it has ended.

    Digests are taken of what the registry sent, before links are rewritten. Ranges are not served: a part has no
    digest. Names are resolved by the engine's own resolver, and kept an hour: nginx does not serve what it has when
    only a name's resolution fails. Cached answers are asked for again when they are old, and served when that fails.
    """
    places = "\n".join(_place(host, settings.hosts) for host in settings.hosts)
    return f"""\
load_module /usr/lib/nginx/modules/ngx_http_js_module.so;
daemon off;
worker_processes 1;
pid /tmp/nginx.pid;
error_log /dev/stdout notice;
events {{ worker_connections 1024; }}
http {{
{_RECORD}
{_ASKING}
{_CACHE}
  proxy_cache_path /workspace/cache levels=1:2 keys_zone=packages:4m inactive=30d use_temp_path=off
                   max_size={settings.cache_bytes // MIB * 3 // 4}m;
  proxy_cache_valid 200 301 {settings.fresh_seconds}s;
  sub_filter_types {_INDEX_TYPES};
  sub_filter_once off;
  limit_conn_zone $binary_remote_addr zone=runs:1m;
  limit_conn runs {_MOST_AT_ONCE};
  limit_conn_status 429;
  max_ranges 0;
  server_tokens off;
  absolute_redirect off;
  server {{
    listen {MIRROR_PORT};
    if ($request_method !~ ^(GET|HEAD)$) {{ return 405; }}
    if ($request_uri ~ "^.{{{_LONGEST_PATH}}}") {{ return 414; }}
    if ($request_uri ~* "^/[^/]*%|%2e|/[.][.]?(/|$)|//") {{ return 403; }}
    location / {{ return 403; }}
{places}
  }}
}}
"""


def _place(host: str, hosts: tuple[str, ...]) -> str:
    """Where one registry is; links and redirections to a mirrored one lead to the mirror, all others nowhere."""
    here = f"http://$server_addr:{MIRROR_PORT}"
    links = "\n".join(f"      sub_filter 'https://{other}/' '{here}/{other}/';" for other in hosts)
    ways = "\n".join(f"      proxy_redirect 'https://{other}/' '{here}/{other}/';" for other in hosts)
    return f"""\
    location ^~ /{host}/ {{
      set $registry {host};
      set $noted $asked;
      set $args "";
      rewrite ^/[^/]+(/.*)$ $1 break;
      proxy_pass https://$registry;
      js_body_filter record.body buffer_type=buffer;
{links}
{ways}
      proxy_redirect / {here}/{host}/;
    }}"""
