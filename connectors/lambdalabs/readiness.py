"""Whether a machine really answers: what Lambda says of it is `active` minutes before, and also where its GPUs are not.

What a machine runs at its first boot counts the GPUs that answer, and has SSH say it in the line with which it greets
everybody. So a look needs no login, and no port beside SSH's.
"""

import asyncio
import contextlib
import re
from typing import Final

USER: Final = "ubuntu"
"""Whom the SSH key opens the machine for."""

FIRST_BOOT: Final = """\
#cloud-config
write_files:
- path: /usr/local/sbin/banksman-gpus
  permissions: "0755"
  content: |
    #!/bin/sh
    # Has SSH's greeting say how many GPUs answer. What sshd would not take is taken back.
    greeting=/etc/ssh/sshd_config.d/60-banksman.conf
    for try in $(seq 60); do
      gpus=$(timeout 60 nvidia-smi --list-gpus 2>/dev/null | grep -c '^GPU')
      echo "VersionAddendum banksman-gpus-$gpus" > "$greeting"
      sshd -t || rm -f "$greeting"
      systemctl reload ssh || systemctl reload sshd
      [ "$gpus" -gt 0 ] && break
      sleep 10
    done
runcmd:
- [/usr/local/sbin/banksman-gpus]
"""
"""The user data of every launch. No secret: Lambda keeps it, and the machine shows it to whoever is on it."""

_PORT: Final = 22
_SECONDS: Final = 5.0
_LONGEST: Final = 255
"""Of a greeting, by RFC 4253."""
_GPUS: Final = re.compile(r"^SSH-2\.0-[^ ]+ .*?banksman-gpus-([0-9]{1,3})(?: |$)")


async def greeting(address: str) -> str | None:
    """With what a machine's SSH greets; None where nothing answers within some seconds, or something else does.

    Args:
        address: As Lambda says it; its twin, whose machines share one host, adds a port.
    """
    host, _, port = address.partition(":")
    with contextlib.suppress(OSError, asyncio.TimeoutError, ValueError, asyncio.IncompleteReadError):
        async with asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_connection(host, int(port or _PORT), limit=_LONGEST)
            try:
                line = await reader.readline()
            finally:
                writer.close()
        text = line.decode("ascii", errors="replace").strip()
        return text if text.startswith("SSH-2.0-") else None
    return None


def gpus_of(greeted: str) -> int | None:
    """How many GPUs answered there; None where it does not say yet."""
    found = _GPUS.match(greeted)
    return int(found[1]) if found else None
