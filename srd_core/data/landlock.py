"""Linux's Landlock, by its system calls: a process gives up the file system, the network, and what it could do to other processes.

What it has open stays usable. Source: the kernel's `Documentation/userspace-api/landlock.rst`, which lists what each version added.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_ASK_VERSION, _NO_NEW_PRIVILEGES = 1, 38
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""From which version on how many rights to files, of bits from 0, can be given up."""
_NETWORK = (4, 0b11)
"""Likewise binding and connecting TCP sockets."""
_OTHERS = (6, 0b11)
"""Likewise other processes' abstract sockets, and signals to them. To trace them or read their memory is given up in all versions."""


def give_up_everything() -> int:
    """Restrict this process for good as far as the kernel can.

    Returns:
        The version of Landlock; 0 where there is none, and nothing was given up.
    """
    if not sys.platform.startswith("linux"):
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    version = int(libc.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION))
    if version < 1:
        return 0
    files = 2 ** max(bits for since, bits in _FILE_RIGHTS.items() if since <= version) - 1
    network, others = (rights if since <= version else 0 for since, rights in (_NETWORK, _OTHERS))
    rights = struct.pack("=QQQ", files, network, others)[: 24 if others else 16 if network else 8]
    ruleset = int(libc.syscall(_CREATE_RULESET, rights, len(rights), 0))
    if ruleset < 0:
        return 0
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    done = int(libc.syscall(_RESTRICT_SELF, ruleset, 0)) == 0
    os.close(ruleset)
    return version if done else 0
