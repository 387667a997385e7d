"""How the platform is started."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class PlatformConfig(BaseModel):
    """In a file that only the environment's owner reads.

    Attributes:
        listen: host:port for browsers.
        control: host:port for the environment's own containers.
        look: The token that may look at services.
        change: The token that may do all.
        engine: The file that says where the container engine is.
        deployment: What the environment is called on the engine.
        folder: Where what was declared is kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: str
    control: str
    look: str = Field(repr=False)
    change: str = Field(repr=False)
    engine: Path
    deployment: str
    folder: Path
