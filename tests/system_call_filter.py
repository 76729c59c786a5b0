"""Run a command with only the system calls that a systemd unit allows; used as a program, since it cannot be undone.

Usage: python tests/system_call_filter.py UNIT COMMAND...
"""

import ctypes
import errno
import os
import re
import subprocess
import sys
from pathlib import Path

ALLOW = 0x7FFF0000  # SCMP_ACT_ALLOW
REFUSE = 0x00050000 | errno.EPERM  # SCMP_ACT_ERRNO(EPERM), as SystemCallErrorNumber=EPERM
UNKNOWN = -1  # __NR_SCMP_ERROR: a name that this architecture or library does not have
NO_NEW_PRIVILEGES = 38  # PR_SET_NO_NEW_PRIVS


def allowed_calls(unit: Path) -> set[str]:
    """Return the names of the system calls that the unit's lines ``SystemCallFilter=`` allow, in their order."""
    allowed: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit.read_text(), re.M):
        named = {call for word in line.removeprefix("~").split() for call in _expanded(word)}
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed


def _expanded(word: str) -> set[str]:
    if not word.startswith("@"):
        return {word}
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", word], capture_output=True, text=True, check=True
    ).stdout
    words = [line.strip() for line in listed.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return {call for one in words for call in _expanded(one)}


def restrict(calls: set[str]) -> None:
    """Refuse all other system calls to this process and to those that it starts."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)  # systemd needs it, so it is there with systemd-analyze
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(REFUSE)))
    for call in sorted(calls):
        number = library.seccomp_syscall_resolve_name(call.encode())
        if number != UNKNOWN and library.seccomp_rule_add(context, ctypes.c_uint32(ALLOW), number, 0) not in (
            0,
            -errno.EDOM,
        ):
            raise OSError(f"no rule for {call}")
    if ctypes.CDLL(None).prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or library.seccomp_load(context):
        raise OSError("the filter could not be loaded")


if __name__ == "__main__":
    unit, *command = sys.argv[1:]
    restrict(allowed_calls(Path(unit)))
    os.execvp(command[0], command)  # noqa: S606, the command of a test
