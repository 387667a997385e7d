"""Images: `FROM` and `COPY --from` of files by which images are built."""

import re
from typing import Final

from activities.dependencies.found import FileFound, Notes, shown

_FROM: Final = re.compile(r"FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_COPY: Final = re.compile(r"(?:COPY|ADD)\s+(?:--\S+\s+)*?--from=(\S+)", re.IGNORECASE)
_ARGUMENT: Final = re.compile(r"ARG\s+([A-Za-z_][A-Za-z0-9_]*)=(\S+)", re.IGNORECASE)
_FILLED: Final = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|([A-Za-z_][A-Za-z0-9_]*))")


def read_dockerfile(path: str, text: str) -> FileFound:
    """The images that it begins with, or copies from: pinned where it names a digest."""
    notes, arguments, stages = Notes(path, "image"), dict[str, str](), {"scratch"}
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        plain = line.strip()
        if given := _ARGUMENT.match(plain):
            arguments[given[1]] = given[2].strip("\"'")
        elif begins := _FROM.match(plain):
            _image(notes, begins[1], arguments, stages)
            stages.add((begins[2] or "").lower())
        elif (copied := _COPY.match(plain)) and not copied[1].isdecimal():
            _image(notes, copied[1], arguments, stages)
    return notes.found()


def _image(notes: Notes, written: str, arguments: dict[str, str], stages: set[str]) -> None:
    image = _FILLED.sub(lambda one: arguments.get(one[1] or one[3], one[2] or one[0]), written)
    if image.lower() in stages:
        return
    if "$" in image:
        notes.mistake(f"begins with '{shown(image)}', of which the file does not say what it is; it is left out")
        return
    use_image(notes, image)


def use_image(notes: Notes, image: str) -> None:
    """An image as it is written: a name, and a tag or a digest."""
    named, _, digest = image.partition("@")
    name, colon, tag = named.rpartition(":")
    if not colon or "/" in tag:
        name, tag = named, ""
    notes.use(name, wanted=image.removeprefix(name).lstrip(":"), version=tag or digest, pinned=bool(digest))
