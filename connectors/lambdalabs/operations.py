"""What Lambda's API is asked. File systems are listed under another spelling than they are made."""

from typing import Final

from pydantic import TypeAdapter

from connectors.http import Operation
from connectors.lambdalabs.models import (
    Data,
    FileSystem,
    Image,
    Instance,
    Launch,
    Launched,
    NewSshKey,
    Nothing,
    Rename,
    Restart,
    Restarted,
    Ruleset,
    SshKey,
    Terminate,
    Terminated,
    TypeOffer,
)

LIST_TYPES: Final = Operation("GET", "/instance-types", TypeAdapter(Data[dict[str, TypeOffer]]))
LIST_INSTANCES: Final = Operation("GET", "/instances", TypeAdapter(Data[tuple[Instance, ...]]))
LAUNCH_INSTANCE: Final = Operation("POST", "/instance-operations/launch", TypeAdapter(Data[Launched]), body=Launch)
TERMINATE_INSTANCES: Final = Operation(
    "POST", "/instance-operations/terminate", TypeAdapter(Data[Terminated]), body=Terminate, harmless=True
)
# It ends what runs there, so that it is no harmless one: after a lost answer somebody looks first.
RESTART_INSTANCES: Final = Operation("POST", "/instance-operations/restart", TypeAdapter(Data[Restarted]), body=Restart)
RENAME_INSTANCE: Final = Operation(
    "POST", "/instances/{instance}", TypeAdapter(Data[Instance]), body=Rename, harmless=True
)
LIST_SSH_KEYS: Final = Operation("GET", "/ssh-keys", TypeAdapter(Data[tuple[SshKey, ...]]))
# Two of one name are no harm: whoever made them ends all of that name.
ADD_SSH_KEY: Final = Operation("POST", "/ssh-keys", TypeAdapter(Data[SshKey]), body=NewSshKey, harmless=True)
DELETE_SSH_KEY: Final = Operation("DELETE", "/ssh-keys/{key}", TypeAdapter(Data[Nothing]), harmless=True)
LIST_IMAGES: Final = Operation("GET", "/images", TypeAdapter(Data[tuple[Image, ...]]))
LIST_FILE_SYSTEMS: Final = Operation("GET", "/file-systems", TypeAdapter(Data[tuple[FileSystem, ...]]))
LIST_RULESETS: Final = Operation("GET", "/firewall-rulesets", TypeAdapter(Data[tuple[Ruleset, ...]]))
