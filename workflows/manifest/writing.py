"""Values as they stand in a manifest, on one line: plainly where YAML reads that as what it is, else in quotes."""

import json
import re
from typing import Final, cast

import yaml

_PLAIN: Final = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_./@-]{0,80}")


def inline(value: object) -> str:
    """A text, number, list or mapping on one line.

    What YAML's versions read differently is put in quotes, and so is whatever could end a line or begin a comment.
    """
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(inline, cast('list[object]', value)))}]"
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value).items()
        return f"{{{', '.join(f'{inline(name)}: {inline(one)}' for name, one in pairs)}}}"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and not value[0].isdigit():
        return value if yaml.safe_load(value) == value else json.dumps(value)
    if isinstance(value, str) and re.fullmatch(r"[1-9][0-9]*[smhd]", value):
        return value
    return json.dumps(value, ensure_ascii=False)
