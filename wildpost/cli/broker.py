"""`wildpost broker`: manages the files of an MQTT broker with TLS and separate credentials for each station."""

import argparse
import contextlib
import fcntl
import os
import pwd
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from contract.server_users import ACCOUNT
from wildpost.broker.configuration import Listeners
from wildpost.broker.folder import ADMIN_PASSWORD, BrokerFolder, neighbour_port
from wildpost.broker.rights import BrokerFolderError

if TYPE_CHECKING:
    from wildpost.broker.live_change import LiveChange


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost broker` and its actions to the argument parser."""
    about = "create and manage the files of a Mosquitto broker: certificates, passwords, access rights"
    broker = commands.add_parser("broker", help=about, description=about)
    actions = broker.add_subparsers(required=True, metavar="ACTION")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("folder", type=Path, help="the broker's folder, such as /etc/mosquitto/wildpost")
    changing = argparse.ArgumentParser(add_help=False)
    changing.add_argument(
        "--reload", type=_process_id, metavar="PID", help="send this running mosquitto SIGHUP, for a new certificate"
    )
    changing.add_argument(
        "--owner", type=_owner, help="owner of the files, a user name or number such as mosquitto (needs root)"
    )

    init = _action(actions, "init", "write the configuration, keys and server users of a new broker", common, changing)
    init.add_argument(
        "--host", action="append", required=True, help="host name or address that stations use; may be repeated"
    )
    init.add_argument("--port", type=int, default=8883, help="of the stations (default: 8883)")
    init.add_argument("--server-port", type=int, help="of the server's connections (default: the port after --port)")
    init.add_argument(
        "--server-host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address of --server-port; other than a loopback address, it demands a client certificate "
        "(default: 127.0.0.1)",
    )
    init.add_argument("--prefix", default="wildpost", help="first levels of every topic (default: wildpost)")
    init.set_defaults(run=run_init)
    for name, about in (
        ("add-station", "create a password and access rights for a station"),
        ("rotate", "replace the password of a station or user; what it queued before is quarantined"),
        ("revoke", "remove the password and access rights of a station; what it queued before is quarantined"),
        ("handed-over", "erase the handed-over password of a station or user from the broker's folder"),
    ):
        action = _action(actions, name, about, common, changing)
        action.add_argument("name", help="name of the station, as in its settings")
        run = {"add-station": run_add, "rotate": run_rotate, "revoke": run_revoke, "handed-over": run_handed_over}
        action.set_defaults(run=run[name])
    renew = _action(actions, "renew", "issue a new broker certificate from the same authority", common, changing)
    renew.add_argument("--host", action="append", default=[], help="default: the hosts of the old certificate")
    renew.set_defaults(run=run_renew)
    about = "bring the folder of an earlier version up to date; stations keep their passwords"
    upgrade = _action(actions, "upgrade", about, common, changing)
    upgrade.add_argument("--server-port", type=int, help="default: the port it has, or the port after the stations'")
    upgrade.add_argument("--server-host", metavar="ADDRESS", help="default: the address it has, or 127.0.0.1")
    upgrade.set_defaults(run=run_upgrade)
    _action(actions, "list", "print the users and the expiry dates of the certificates", common).set_defaults(
        run=run_list
    )
    about = "report passwords that are still in the folder, and what is out of date; exit status 1 if anything is"
    _action(actions, "check", about, common).set_defaults(run=run_check)


def run_init(arguments: argparse.Namespace) -> int:
    """Create the folder of a new broker and print the next steps."""
    server_port = arguments.server_port or neighbour_port(arguments.port)
    listeners = Listeners(arguments.port, server_port, arguments.server_host)
    folder = BrokerFolder(arguments.folder, arguments.prefix, listeners)
    folder.create(arguments.host)
    _apply_owner_and_reload(arguments)
    print(f"{arguments.folder}/mosquitto.conf is ready; keep {arguments.folder}/ca.key secret")
    print(f"password of the server, for port {server_port}: {arguments.folder}/handover/{ACCOUNT}")
    print(f"after copying a password, erase it: wildpost broker handed-over {arguments.folder} {ACCOUNT}")
    print(f"next: wildpost broker add-station {arguments.folder} NAME")
    return 0


def run_add(arguments: argparse.Namespace) -> int:
    """Add a station to the broker and print the folder of the station's credentials."""
    _set_password(arguments, BrokerFolder.add_station, replaced=False)
    return 0


def run_rotate(arguments: argparse.Namespace) -> int:
    """Replace the broker password of a station or user."""
    folder = _set_password(arguments, BrokerFolder.rotate, replaced=True)
    _report_unmarked(arguments, folder)
    return 0


def run_revoke(arguments: argparse.Namespace) -> int:
    """Remove a station's broker password and access rights."""
    folder = BrokerFolder.open(arguments.folder)
    change = _live_change(folder)
    with _locked(folder.path):
        if arguments.name not in change.unmarked or arguments.name in folder.users():
            folder.remove(arguments.name)
        _apply_owner_and_reload(arguments)
        change.remove_user(arguments.name)
    print(f"{arguments.name} can no longer connect")
    _report_unmarked(arguments, folder)
    return 0


def run_handed_over(arguments: argparse.Namespace) -> int:
    """Erase the handed-over credentials of a user."""
    if not BrokerFolder.open(arguments.folder).handovers.erase(arguments.name):
        raise BrokerFolderError(f"no credentials of {arguments.name!r} in {arguments.folder}/handover")
    print(f"the password of {arguments.name} is erased; the broker keeps its hash")
    return 0


def run_renew(arguments: argparse.Namespace) -> int:
    """Replace the broker's certificate by a new one and print its expiry date."""
    from wildpost.broker.certificates import expires_at

    BrokerFolder.open(arguments.folder).renew_certificate(arguments.host)
    _apply_owner_and_reload(arguments)
    print(f"valid until {expires_at(arguments.folder / 'broker.crt'):%Y-%m-%d}" + _reload_hint(arguments))
    return 0


def run_upgrade(arguments: argparse.Namespace) -> int:
    """Bring the folder of an earlier version up to date and print the next steps."""
    found = BrokerFolder.open(arguments.folder)
    listeners = Listeners(
        found.listeners.port,
        arguments.server_port or found.listeners.server_port,
        arguments.server_host or found.listeners.server_host,
    )
    folder = BrokerFolder(found.path, found.prefix, listeners)
    with _locked(folder.path):
        new_password = folder.upgrade()
    _apply_owner_and_reload(arguments)
    print(f"{arguments.folder} is up to date; stations keep their passwords. Restart Mosquitto: it does not load a")
    print("plugin or open a port while it runs. It keeps its sessions, and stations connect again.")
    if new_password:
        print(f"the server has a new password: {arguments.folder}/handover/{ACCOUNT}")
    print(f"in the server's settings: [broker] host and port as in {arguments.folder}/handover/{ACCOUNT}/broker.toml")
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Print the broker's users and the expiry dates of its certificates."""
    from wildpost.broker.certificates import expires_at

    for user in sorted(BrokerFolder.open(arguments.folder).users()):
        print(user)
    for name in ("broker", "ca"):
        print(f"{name}.crt is valid until {expires_at(arguments.folder / f'{name}.crt'):%Y-%m-%d}")
    return 0


def run_check(arguments: argparse.Namespace) -> int:
    """Print what needs attention in the broker's folder; return 1 if anything does."""
    from wildpost.broker.check import check_folder

    problems = list(check_folder(BrokerFolder.open(arguments.folder)))
    for problem in problems:
        print(problem)
    if not problems:
        print(f"{arguments.folder}: nothing to do")
    return 1 if problems else 0


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    about: str,
    *parents: argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    return actions.add_parser(name, help=about, description=about, parents=list(parents))


def _set_password(
    arguments: argparse.Namespace, change: Callable[[BrokerFolder, str], tuple[str, Path]], replaced: bool
) -> BrokerFolder:
    """Set a user's password in the folder and at the running broker, print what to hand over, and return the folder."""
    folder = BrokerFolder.open(arguments.folder)
    with _locked(folder.path):
        password, handover = change(folder, arguments.name)
        _apply_owner_and_reload(arguments)
        applied = _live_change(folder).set_user(arguments.name, password, replaced)
    _report_handover(handover, arguments.name, applied)
    return folder


def _live_change(folder: BrokerFolder) -> "LiveChange":
    from wildpost.broker.live_change import LiveChange

    return LiveChange(folder)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Wait for another `wildpost broker` that changes the same folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _report_handover(handover: Path, name: str, applied: bool) -> None:
    print(
        f"hand over {handover}: broker.toml for its settings, ca.crt, and wildpost.env with the password"
        + ("" if applied else "; takes effect when the broker starts")
    )
    print(f"then erase it: wildpost broker handed-over {handover.parent.parent} {name}")


def _report_unmarked(arguments: argparse.Namespace, folder: BrokerFolder) -> None:
    for station in _live_change(folder).unmarked:
        print(
            f"the broker does not run: what {station} queued for the server is still accepted. Start the broker, then, "
            f"before the server starts: wildpost broker revoke or rotate {arguments.folder} {station}"
        )


def _reload_hint(arguments: argparse.Namespace) -> str:
    return "" if arguments.reload else "; takes effect when the broker reads it again: kill -HUP, or --reload PID"


def _owner(text: str) -> int | str:
    """Parse the value of ``--owner``, a user name or user id, and refuse it unless the command runs as root.

    An invalid owner is refused before any file is written, since `broker init` refuses a partly written folder.
    """
    if os.geteuid() != 0:
        raise argparse.ArgumentTypeError(f"{text}: only root can change the owner of files (sudo)")
    if text.isdigit():  # a container has no user names
        return int(text)
    try:
        pwd.getpwnam(text)
    except KeyError as error:
        raise argparse.ArgumentTypeError(f"{text}: no such user on this machine") from error
    return text


def _process_id(text: str) -> int:
    try:
        os.kill(int(text), 0)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: expected one process id (pidof mosquitto)") from error
    except ProcessLookupError as error:
        raise argparse.ArgumentTypeError(f"{text}: no such process (pidof mosquitto)") from error
    except PermissionError as error:
        raise argparse.ArgumentTypeError(f"{text}: belongs to another user (sudo)") from error
    return int(text)


def _apply_owner_and_reload(arguments: argparse.Namespace) -> None:
    if arguments.owner is not None:
        owner = arguments.owner
        for path in [arguments.folder, *arguments.folder.rglob("*")]:
            if path.name not in ("ca.key", ADMIN_PASSWORD) and "handover" not in path.parts:
                shutil.chown(path, owner, owner)
    if arguments.reload:
        os.kill(arguments.reload, signal.SIGHUP)
