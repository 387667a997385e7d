"""A repository's `Pulumi.yaml` and `Pulumi.STACK.yaml`, read as untrusted and written anew for the engine.

The engine runs what these files name: a plugin's path is started even where plugins are not to be acquired. So what
it is given holds only what is listed here, and what could lead it elsewhere is refused by name.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal, cast

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from sandbox.errors import SpecRefused
from sandbox.spec import RelativePath

_REFUSED: Final = {
    "plugins": "it names programs that the engine would start; providers come from the engine's image",
    "packages": "it names packages that the engine would fetch; providers come from the engine's image",
    "backend": "where the state lies is the deployment's to say",
    "secretsprovider": "what encrypts the state is the deployment's to say",
    "encryptedkey": "what encrypts the state is the deployment's to say",
    "environment": "it would bring in credentials from elsewhere",
}
_IGNORED: Final = frozenset({"author", "website", "license", "template", "tags"})
_RUNTIME_OPTIONS: Final = frozenset({"virtualenv", "toolchain", "typechecker"})
_LONGEST: Final = 256 * 1024
ConfigType = Literal["string", "boolean", "integer", "number", "array", "object"]
_KEY: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,200}")


def _salt(text: str) -> str:
    if not re.fullmatch(r"v1:[A-Za-z0-9+/=]{1,100}:v1:[A-Za-z0-9+/=]{1,100}:[A-Za-z0-9+/=]{1,200}", text):
        raise ValueError("an encryption salt looks like v1:…:v1:…:…, as Pulumi writes it")
    return text


ProjectName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
StackName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}$")]
Salt = Annotated[str, AfterValidator(_salt)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ConfigEntry(_Frozen):
    """One entry of a project's typed configuration.

    Attributes:
        type: Of its value.
        description: For people.
        secret: Whether its value must be encrypted.
        default: Taken where the stack has none.
        value: Fixed for all stacks.
    """

    type: ConfigType | None = None
    description: str | None = None
    secret: bool | None = None
    default: JsonValue = None
    value: JsonValue = None
    items: Mapping[str, JsonValue] | None = None


class Project(_Frozen):
    """What is taken of a `Pulumi.yaml`.

    Attributes:
        name: The project's.
        description: For people.
        main: The folder of the program, below that of the file; None: the same.
        config: Its typed configuration.
    """

    name: ProjectName
    description: str | None = Field(default=None, max_length=2000)
    main: RelativePath | None = None
    config: Mapping[str, ConfigEntry | JsonValue] = Field(default_factory=dict[str, ConfigEntry | JsonValue])

    def written(self) -> bytes:
        """The `Pulumi.yaml` that the engine is given."""
        said: dict[str, JsonValue] = {"name": self.name, "runtime": "python"}
        if self.description:
            said["description"] = self.description
        if self.config:
            said["config"] = {
                key: entry.model_dump(mode="json", exclude_none=True) if isinstance(entry, ConfigEntry) else entry
                for key, entry in self.config.items()
            }
        return yaml.safe_dump(said, sort_keys=True).encode()


class StackSettings(_Frozen):
    """What is taken of a `Pulumi.STACK.yaml`.

    Attributes:
        salt: With which the passphrase makes the key of the stack's secrets; not secret itself.
        config: Values by key; one like `{"secure": "v1:…"}` is encrypted.
    """

    salt: Salt | None = None
    config: Mapping[str, JsonValue] = Field(default_factory=dict[str, JsonValue])

    def without_secrets(self, placeholder: str) -> "StackSettings":
        """The same with this in the place of every secret, and without what opens them."""
        return StackSettings(config={key: _replaced(value, placeholder) for key, value in self.config.items()})

    def written(self) -> bytes:
        """The file that the engine is given."""
        said: dict[str, JsonValue] = {"config": dict(self.config)} if self.config else {}
        if self.salt is not None:
            said["encryptionsalt"] = self.salt
        return yaml.safe_dump(said, sort_keys=True).encode() if said else b""


def _replaced(value: JsonValue, placeholder: str) -> JsonValue:
    if isinstance(value, list):
        return [_replaced(one, placeholder) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"secure"}:
        return placeholder
    return {key: _replaced(one, placeholder) for key, one in value.items()}


_ENTRIES: Final[TypeAdapter[Mapping[str, ConfigEntry | JsonValue]]] = TypeAdapter(Mapping[str, ConfigEntry | JsonValue])


def read_project(text: bytes) -> Project:
    """Of a repository's `Pulumi.yaml`.

    Raises:
        SpecRefused: It names what the engine would run or fetch, another runtime, or cannot be read.
    """
    said = read_mapping(text, "Pulumi.yaml", known={"name", "runtime", "description", "main", "config"})
    require_python(said.get("runtime"), "Pulumi.yaml")
    try:
        taken: dict[str, JsonValue] = {name: said.get(name) for name in ("name", "description", "main")}
        if isinstance(main := taken["main"], str):
            taken["main"] = None if main in {".", "./"} else main.removeprefix("./").rstrip("/")
        return Project.model_validate({**taken, "config": _ENTRIES.validate_python(_keys(said, "Pulumi.yaml"))})
    except ValidationError as error:
        raise SpecRefused(f"'Pulumi.yaml' cannot be used: {_first(error)}") from error


def read_settings(text: bytes, stack: str) -> StackSettings:
    """Of a repository's `Pulumi.STACK.yaml`.

    Raises:
        SpecRefused: It names what decides about the state or brings credentials in, or cannot be read.
    """
    name = f"Pulumi.{stack}.yaml"
    said = read_mapping(text, name, known={"encryptionsalt", "config"})
    try:
        return StackSettings.model_validate({"salt": said.get("encryptionsalt"), "config": _keys(said, name)})
    except ValidationError as error:
        raise SpecRefused(f"{name!r} cannot be used: {_first(error)}") from error


def read_mapping(text: bytes, name: str, *, known: set[str]) -> Mapping[str, JsonValue]:
    """A YAML file of a repository's, with the fields that are known and no others.

    Raises:
        SpecRefused: It names what the engine would run or fetch, what is not known, or cannot be read.
    """
    if len(text) > _LONGEST:
        raise SpecRefused(f"{name!r} is longer than {_LONGEST} bytes: make it shorter")
    try:
        said: object = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SpecRefused(f"{name!r} is no YAML: {str(error).splitlines()[0][:100]!r}; repair it") from error
    if said is None:
        return {}
    if not isinstance(said, dict):
        raise SpecRefused(f"{name!r} must be a mapping of names to values: repair it")
    found = {str(key): value for key, value in cast("dict[object, JsonValue]", said).items()}
    for key in found:
        if (why := _REFUSED.get(key.lower())) is not None:
            raise SpecRefused(f"{key!r} in {name!r} is refused: {why}; take it out")
        if key not in known | _IGNORED:
            raise SpecRefused(f"{key[:80]!r} in {name!r} is not known here: take it out")
    return found


def require_python(runtime: JsonValue, name: str) -> None:
    """Of a file that names a runtime.

    Raises:
        SpecRefused: It names another, or an option of it that is not known.
    """
    options: JsonValue = {}
    if isinstance(runtime, dict):
        options, runtime = runtime.get("options") or {}, runtime.get("name")
    if runtime != "python":
        raise SpecRefused(
            f"the runtime {str(runtime)[:80]!r} in {name!r} cannot be run in isolation yet: only 'python' can"
        )
    unknown = sorted(set(options) - _RUNTIME_OPTIONS) if isinstance(options, dict) else [str(options)[:80]]
    if unknown:
        raise SpecRefused(f"the runtime's option {unknown[0]!r} in {name!r} is not known here: take it out")


def _keys(said: Mapping[str, JsonValue], name: str) -> Mapping[str, JsonValue]:
    config = said.get("config") or {}
    if not isinstance(config, dict):
        raise SpecRefused(f"'config' in {name!r} must be a mapping of keys to values: repair it")
    for key in config:
        if not _KEY.fullmatch(key):
            raise SpecRefused(f"{key[:80]!r} in {name!r} is no key of a configuration: rename it")
    return config


def _first(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where[:100]!r}: {first['msg'][:200]}"
