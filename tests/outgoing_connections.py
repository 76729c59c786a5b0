"""Record where the processes of a test connect to: by Python's audit events, and by strace where it is installed."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.eventually import eventually

# Written into sitecustomize.py, which each Python process imports first, also processes that it starts.
HOOK = """
import os, sys
def record(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        found = f"name {{arguments[0]}}"
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg") and isinstance(arguments[1], tuple):
        found = f"peer {{arguments[1][0]}} {{arguments[1][1]}}"
    else:
        return
    file = os.open({path!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, (found + "\\n").encode())
    os.close(file)
sys.addaudithook(record)
"""
PEER = re.compile(
    r'sin6?_port=htons\((\d+)\), (?:sin6_flowinfo=[^,]*, )?(?:sin_addr=inet_addr\(|inet_pton\(AF_INET6, )"([^"]+)"'
)
LOOPBACK = re.compile(r"127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+|localhost")
KEPT = {"PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR"}
NAME_SERVICE = 53  # a resolver on the loopback address passes its questions on


class Contact(NamedTuple):
    """A name that was looked up, without a port, or an address."""

    host: str
    port: int | None


@dataclass(frozen=True)
class Observer:
    """Observes one process and those that it starts."""

    folder: Path
    traces: bool  # strace is installed and the kernel lets it trace

    @property
    def home(self) -> Path:
        """Home directory of the process, where telemetry keeps the machine's identifier."""
        return self.folder / "home"

    def command(self, command: list[str]) -> list[str]:
        """Return a command under strace, or unchanged without it; the process keeps its parent and its number."""
        if not self.traces:
            return command
        observed = "trace=connect,sendto,sendmsg,sendmmsg"
        return ["strace", "-D", "-f", "--seccomp-bpf", "-o", str(self.folder / "strace.log"), "-e", observed, *command]

    def environment(self) -> dict[str, str]:
        """Return the environment for the process, with the audit hook in it and a home of its own.

        Only what a service has: ONNX Runtime and openvino-telemetry are silent where variables speak of CI or a test.
        """
        (self.folder / "sitecustomize.py").write_text(HOOK.format(path=str(self.folder / "audit.log")))
        paths = [str(self.folder), os.environ.get("PYTHONPATH", "")]
        kept = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith("WILDPOST_")}
        self.home.mkdir(exist_ok=True)
        return kept | {"HOME": str(self.home), "PYTHONPATH": os.pathsep.join(path for path in paths if path)}

    def contacted(self) -> set[Contact]:
        """Return the names that were looked up and the addresses that were used, once the process has ended."""
        found = set()
        for line in self._lines("audit.log"):
            _, host, *port = line.split()
            found.add(Contact(host, int(port[0]) if port else None))
        if self.traces:
            eventually(self._has_trace_ended, "strace has written everything")
            for line in self._lines("strace.log"):
                found |= {Contact(host, int(port)) for port, host in PEER.findall(line)}
        return found

    def outside(self) -> set[Contact]:
        """Return the contacts beyond this machine's loopback address."""
        return {one for one in self.contacted() if not LOOPBACK.fullmatch(one.host) or one.port == NAME_SERVICE}

    def identifiers(self) -> list[Path]:
        """Return the files in which telemetry of ONNX Runtime (~/.cache/Microsoft) and OpenVINO (~/intel) keeps one."""
        return [file for file in self.home.rglob("*") if {"Microsoft", "intel"} & set(file.parts)]

    def _has_trace_ended(self) -> bool:
        lines = self._lines("strace.log")
        ended = {line.split()[0] for line in lines if "+++ exited" in line or "+++ killed" in line}
        return bool(lines) and {line.split()[0] for line in lines} == ended

    def _lines(self, name: str) -> list[str]:
        file = self.folder / name
        return file.read_text().splitlines() if file.is_file() else []


def can_trace() -> bool:
    """Return whether strace is installed and may trace."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False).returncode == 0
