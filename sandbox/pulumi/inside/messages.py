"""Pulumi's messages as far as the relay reads them, by type.

The image has Pulumi's library and gRPC, the host has neither: their modules are loaded by name where this runs, and
`Protocol`s say what of them is used. Names and numbers are Pulumi's, from `pulumi/proto` at the CLI's version.
"""

import importlib
import importlib.util
import itertools
import sys
import types
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Final, Protocol, TypeVar, cast

_Message_co = TypeVar("_Message_co", covariant=True)

LARGEST: Final = 64 * 1024 * 1024
"""Bytes of one message, either way."""
LIMITS: Final = (
    ("grpc.max_receive_message_length", LARGEST),
    ("grpc.max_send_message_length", LARGEST),
    ("grpc.so_reuseport", 0),
    ("grpc.enable_http_proxy", 0),
)


class Message(Protocol):
    """Any message."""

    def SerializeToString(self) -> bytes: ...  # noqa: D102, N802 - protobuf's own name
    def ClearField(self, field_name: str) -> None: ...  # noqa: D102, N802 - the same
    def HasField(self, field_name: str) -> bool: ...  # noqa: D102, N802 - the same


class RunRequest(Message, Protocol):
    """The engine asks the language host to run the program."""

    pwd: str
    program: str
    args: MutableSequence[str]
    config: MutableMapping[str, str]
    configSecretKeys: Sequence[str]  # noqa: N815 - the field's name
    monitor_address: str


class Value(Protocol):
    """A property's value."""

    string_value: str


class Struct(Message, Protocol):
    """Properties."""

    fields: Mapping[str, Value]


class Element(Message, Protocol):
    """A property's value, with all that it may hold."""

    string_value: str
    struct_value: "Properties"
    list_value: "Elements"


class Properties(Message, Protocol):
    """Properties, with all that they may hold."""

    fields: Mapping[str, Element]

    def CopyFrom(self, other: "Properties") -> None: ...  # noqa: D102, N802 - protobuf's own name


class Elements(Message, Protocol):
    """A property that is a list."""

    values: Sequence[Element]


class Registration(Message, Protocol):
    """`RegisterResource` and `ReadResource`: the program asks for a resource."""

    type: str
    name: str
    custom: bool
    remote: bool
    object: Struct
    properties: Struct
    pluginDownloadURL: str  # noqa: N815 - the field's name


class Invocation(Message, Protocol):
    """`Invoke` and `Call`: the program asks for a function."""

    tok: str
    args: Struct
    pluginDownloadURL: str  # noqa: N815 - the field's name


class Feature(Message, Protocol):
    """`SupportsFeature`: the program's library asks what the engine can."""

    id: str


class LogEntry(Message, Protocol):
    """`Log`: the program says something to people."""

    message: str


class StackConfiguration(Message, Protocol):
    """`ConfigureStack`: the engine tells a policy pack which stack it is about."""

    stack: str
    project: str
    organization: str
    dry_run: bool
    config: Mapping[str, str]
    config_secret_keys: Sequence[str]


class PackConfig(Protocol):
    """What one policy is told; `enforcementLevel` is one of `Levels`."""

    enforcementLevel: int  # noqa: N815 - the field's name


class PackConfiguration(Message, Protocol):
    """`Configure`: the engine tells a policy pack its configuration."""

    policyConfig: Mapping[str, PackConfig]  # noqa: N815 - the field's name


class ConfigSchema(Protocol):
    """What a policy's configuration looks like."""

    properties: Message


class PolicyInfo(Protocol):
    """One policy of a pack."""

    name: str
    enforcementLevel: int  # noqa: N815 - the field's name
    configSchema: ConfigSchema  # noqa: N815 - the same


class PackInfo(Message, Protocol):
    """`GetAnalyzerInfo`: a policy pack tells of itself."""

    name: str
    policies: Sequence[PolicyInfo]
    initialConfig: Mapping[str, PackConfig]  # noqa: N815 - the field's name


class Finding(Protocol):
    """What a policy says of a resource."""

    policyName: str  # noqa: N815 - the field's name
    policyPackName: str  # noqa: N815 - the same
    description: str
    message: str
    enforcementLevel: int  # noqa: N815 - the same


class Findings(Message, Protocol):
    """The answer of `Analyze` and `AnalyzeStack`."""

    diagnostics: Sequence[Finding]


class Kind(Protocol[_Message_co]):
    """A message's class."""

    def __call__(self, **fields: object) -> _Message_co: ...  # noqa: D102 - a message's constructor
    def FromString(self, data: bytes) -> _Message_co: ...  # noqa: D102, N802 - protobuf's own name


class LanguageMessages(Protocol):
    """`pulumi.runtime.proto.language_pb2`."""

    RunRequest: Kind[RunRequest]
    RunResponse: Kind[Message]


class ResourceMessages(Protocol):
    """`pulumi.runtime.proto.resource_pb2`."""

    RegisterResourceRequest: Kind[Registration]
    ReadResourceRequest: Kind[Registration]
    ResourceInvokeRequest: Kind[Invocation]
    ResourceCallRequest: Kind[Invocation]
    SupportsFeatureRequest: Kind[Feature]
    SupportsFeatureResponse: Kind[Message]


class EngineMessages(Protocol):
    """`pulumi.runtime.proto.engine_pb2`."""

    LogRequest: Kind[LogEntry]


class AnalyzerMessages(Protocol):
    """`pulumi.runtime.proto.analyzer_pb2`."""

    AnalyzerStackConfigureRequest: Kind[StackConfiguration]
    ConfigureAnalyzerRequest: Kind[PackConfiguration]
    AnalyzerInfo: Kind[PackInfo]
    AnalyzeRequest: Kind[Message]
    AnalyzeStackRequest: Kind[Message]
    AnalyzeResponse: Kind[Findings]
    ADVISORY: int
    MANDATORY: int
    REMEDIATE: int


class PluginMessages(Protocol):
    """`pulumi.runtime.proto.plugin_pb2`."""

    PluginInfo: Kind[Message]


class Configured(Message, Protocol):
    """The answer of a provider's `Configure`."""

    supportsPreview: bool  # noqa: N815 - the field's name


class Change(Message, Protocol):
    """A provider's `Create` or `Update`; a creation has `properties`, an update `news`."""

    urn: str
    preview: bool
    properties: Properties
    news: Properties


class Changed(Message, Protocol):
    """The answer of both; only that of a creation has `id`."""

    id: str
    properties: Properties


class Reading(Message, Protocol):
    """A provider's `Read`, and its answer."""

    id: str
    properties: Properties
    inputs: Properties


class ProviderMessages(Protocol):
    """`pulumi.runtime.proto.provider_pb2`."""

    ConfigureResponse: Kind[Configured]
    CreateRequest: Kind[Change]
    CreateResponse: Kind[Changed]
    UpdateRequest: Kind[Change]
    UpdateResponse: Kind[Changed]
    ReadRequest: Kind[Reading]
    ReadResponse: Kind[Reading]


class Context(Protocol):
    """One call's server side."""

    async def abort(self, code: object, details: str = "", trailing_metadata: Sequence[object] = ()) -> None: ...  # noqa: D102 - gRPC's own


Unary = Callable[[bytes, Context], Awaitable[bytes]]


class CallDetails(Protocol):
    """Which method is called."""

    method: str


class Server(Protocol):
    """A gRPC server."""

    def add_generic_rpc_handlers(self, handlers: Sequence[object]) -> None: ...  # noqa: D102 - gRPC's own
    def add_insecure_port(self, address: str) -> int: ...  # noqa: D102 - the same
    async def start(self) -> None: ...  # noqa: D102 - the same
    async def stop(self, grace: float | None) -> None: ...  # noqa: D102 - the same


class Channel(Protocol):
    """A gRPC channel."""

    def unary_unary(self, method: str) -> Callable[[bytes], Awaitable[bytes]]: ...  # noqa: D102 - gRPC's own
    async def close(self) -> None: ...  # noqa: D102 - the same


class Aio(Protocol):
    """`grpc.aio`."""

    AioRpcError: type[Exception]

    def server(self, *, options: Sequence[tuple[str, int]]) -> Server: ...  # noqa: D102 - gRPC's own
    def insecure_channel(self, target: str, *, options: Sequence[tuple[str, int]]) -> Channel: ...  # noqa: D102 - the same


class StatusCodes(Protocol):
    """`grpc.StatusCode`."""

    PERMISSION_DENIED: object
    FAILED_PRECONDITION: object
    CANCELLED: object


class Grpc(Protocol):
    """`grpc`."""

    StatusCode: StatusCodes
    GenericRpcHandler: type

    def unary_unary_rpc_method_handler(self, behavior: Unary) -> object: ...  # noqa: D102 - gRPC's own


class JsonFormat(Protocol):
    """`google.protobuf.json_format`."""

    def MessageToDict(self, message: Message) -> Mapping[str, object]: ...  # noqa: D102, N802 - protobuf's own name


class Failed(Protocol):
    """What a call that failed says; `grpc.aio.AioRpcError`."""

    def code(self) -> object: ...  # noqa: D102 - gRPC's own
    def details(self) -> str | None: ...  # noqa: D102 - the same
    def trailing_metadata(self) -> Sequence[object] | None: ...  # noqa: D102 - the same


def _without_what_programs_need(package: str) -> None:
    """Let modules below a package be loaded without it: Pulumi's own loads all that a program may need, for long."""
    for name in itertools.accumulate(package.split("."), "{}.{}".format):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.submodule_search_locations is None:
            raise ModuleNotFoundError(f"the image lacks {name!r}")
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = spec.submodule_search_locations


grpc: Final = cast("Grpc", importlib.import_module("grpc"))
aio: Final = cast("Aio", importlib.import_module("grpc.aio"))
_PROTO: Final = "pulumi.runtime.proto"
_without_what_programs_need(_PROTO)
language: Final = cast("LanguageMessages", importlib.import_module(f"{_PROTO}.language_pb2"))
resource: Final = cast("ResourceMessages", importlib.import_module(f"{_PROTO}.resource_pb2"))
engine: Final = cast("EngineMessages", importlib.import_module(f"{_PROTO}.engine_pb2"))
plugin: Final = cast("PluginMessages", importlib.import_module(f"{_PROTO}.plugin_pb2"))
provider: Final = cast("ProviderMessages", importlib.import_module(f"{_PROTO}.provider_pb2"))
analyzer: Final = cast("AnalyzerMessages", importlib.import_module(f"{_PROTO}.analyzer_pb2"))
as_json: Final = cast("JsonFormat", importlib.import_module("google.protobuf.json_format"))
