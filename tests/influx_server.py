"""A real InfluxDB 1.x on free ports, with nginx before it that gives it the write path of 2.x."""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

from tests.listening import listens

_NUMBERS = itertools.count()
_WHOLE_LOG = Path(__file__).parents[1] / "configs" / "systemd" / "influxdb-whole-log"

_INFLUXD = """
reporting-disabled = true
bind-address = "127.0.0.1:{backup}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
  max-values-per-tag = 0
[http]
  bind-address = "127.0.0.1:{direct}"
  log-enabled = false
  auth-enabled = {auth}
[monitor]
  store-enabled = false
[subscriber]
  enabled = false
[continuous_queries]
  enabled = false
"""

# docs/how-to/influxdb.md shows the same rewrite.
_NGINX = """
daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
worker_processes 1;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{front};
    client_max_body_size 32m;
    client_body_buffer_size 8m;
    location = /api/v2/write {{
      rewrite ^ /write?db=$arg_bucket&precision=$arg_precision? break;
      proxy_pass http://127.0.0.1:{direct};
    }}
    location / {{ proxy_pass http://127.0.0.1:{direct}; }}
  }}
}}
"""


class Influx:
    """The two programs; a test may kill the database and start it again on the same files."""

    def __init__(self, influxd: str, nginx: str, folder: Path, auth: bool = False) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self._direct, self._front = _free_port(), _free_port()
        (folder / "influxd.conf").write_text(
            _INFLUXD.format(folder=folder, backup=_free_port(), direct=self._direct, auth=str(auth).lower())
        )
        (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, direct=self._direct, front=self._front))
        self._influxd = [influxd, "-config", str(folder / "influxd.conf")]
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._run("influxd", self._influxd, self._direct)
        nginx_command = [nginx, "-e", str(folder / "nginx.log"), "-c", str(folder / "nginx.conf")]
        self._run("nginx", nginx_command, self._front)

    @property
    def url(self) -> str:
        """With the write path of 2.x."""
        return f"http://127.0.0.1:{self._front}"

    @property
    def direct_url(self) -> str:
        """As 1.x listens itself."""
        return f"http://127.0.0.1:{self._direct}"

    @property
    def pid(self) -> int:
        return self._running["influxd"].pid

    def new_database(self) -> str:
        """A name that no other test has."""
        return f"wildpost{next(_NUMBERS)}"

    def drop(self, database: str) -> None:
        """Remove a database, so that the server does not grow with the tests."""
        self.ask(f'DROP DATABASE "{database}"')

    def ask(self, statement: str, database: str = "") -> bytes:
        """Ask past the store, as an operator would."""
        body = urllib.parse.urlencode({"q": statement, "db": database}).encode()
        with urllib.request.urlopen(f"{self.direct_url}/query", body, timeout=30) as answer:
            return bytes(answer.read())

    def start(self) -> None:
        """Start it once more, as docs/how-to/influxdb.md has it done: with a whole log."""
        command = [str(_WHOLE_LOG), str(self.folder / "influxd.conf"), str(_free_port()), str(_free_port())]
        where = f"{Path(self._influxd[0]).parent}:{os.environ.get('PATH', '')}"
        with (self.folder / "influxd.out").open("ab") as log:
            subprocess.run(command, stdout=log, stderr=log, check=True, env=os.environ | {"PATH": where})
        self._run("influxd", self._influxd, self._direct)

    def kill(self) -> None:
        self._end("influxd", signal.SIGKILL)

    def stop(self) -> None:
        for name in ("nginx", "influxd"):
            self._end(name, signal.SIGTERM)

    def _run(self, name: str, command: list[str], port: int) -> None:
        with (self.folder / f"{name}.out").open("ab") as log:
            process = self._running[name] = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if listens(port):
                return
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with {process.returncode}; see {self.folder}")
            time.sleep(0.02)
        raise TimeoutError(f"{name} did not listen on {port} within 30 s; see {self.folder}")

    def _end(self, name: str, how: signal.Signals) -> None:
        process = self._running.pop(name, None)
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, how)
            process.wait(20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def programs() -> tuple[str, str] | str:
    """Where influxd and nginx are, or what is missing."""
    where = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    influxd, nginx = shutil.which("influxd", path=where), shutil.which("nginx", path=where)
    if influxd is None or nginx is None:
        return "influxd and nginx are not both installed (Debian: apt-get install influxdb nginx-light)"
    return influxd, nginx
