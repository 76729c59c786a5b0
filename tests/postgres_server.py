"""A real PostgreSQL on a free port, which a test may stop, kill and start again."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import weakref
from itertools import count
from pathlib import Path


def program_folder() -> Path | str:
    """Find the folder of PostgreSQL's programs, or say what is missing."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return newest[-1].parent if newest else "postgresql is not installed (Debian: apt-get install postgresql)"


class Postgres:
    """A server with durable commits, as Wildpost's users run it."""

    def __init__(self, programs: Path, port: int) -> None:
        self.port = port
        self._programs = programs
        # Not in pytest's folder: the server's user must get there, and pytest closes its folders to others again.
        folder = Path(tempfile.mkdtemp(prefix="wildpost-postgres-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._data = folder / "data"
        self._log = folder / "log"
        self._numbers = count()
        self._user: str | None = None
        if os.geteuid() == 0:  # it refuses to run as root
            self._user = next(name for name in ("postgres", "nobody") if _exists(name))
            shutil.chown(folder, self._user)
        self._run("initdb", "-D", str(self._data), "-U", "wildpost", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()

    def start(self) -> None:
        """Start it, and return when it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200"
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self._log), "-o", options, "-w", "start")

    def stop(self) -> None:
        """Stop it as a crash would, which is quicker than in order; one that was killed is left."""
        if not (self._data / "postmaster.pid").exists() or not self._pid_is_alive():
            return
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def kill(self) -> None:
        """End it by SIGKILL, children too."""
        pid = self._pid()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for process in (pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):  # a child may have ended by itself
                os.kill(process, signal.SIGKILL)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.02)

    def _pid(self) -> int:
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def _pid_is_alive(self) -> bool:
        return Path(f"/proc/{self._pid()}").exists()

    def database(self) -> str:
        """Make an empty database, and write its address as SQLAlchemy takes it."""
        import psycopg  # the environment of tests/training has none

        name = f"casebook_{next(self._numbers)}"
        with psycopg.connect(f"host=127.0.0.1 port={self.port} user=wildpost dbname=postgres", autocommit=True) as link:
            link.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql+psycopg://wildpost@127.0.0.1:{self.port}/{name}"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            check=True, user=self._user, cwd="/", stdout=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
