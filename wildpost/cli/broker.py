"""`wildpost broker`: manages the files of an MQTT broker with TLS and separate credentials for each station."""

import argparse
import os
import pwd
import shutil
import signal
from pathlib import Path

from wildpost.broker.folder import BrokerFolder, BrokerFolderError


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost broker` and its actions to the argument parser."""
    about = "create and manage the files of a Mosquitto broker: certificates, passwords, access rights"
    broker = commands.add_parser("broker", help=about, description=about)
    actions = broker.add_subparsers(required=True, metavar="ACTION")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("folder", type=Path, help="the broker's folder, such as /etc/mosquitto/wildpost")
    changing = argparse.ArgumentParser(add_help=False)
    changing.add_argument(
        "--reload", type=_process_id, metavar="PID", help="make this running mosquitto reload its files"
    )
    changing.add_argument(
        "--owner", type=_owner, help="owner of the files, a user name or number such as mosquitto (needs root)"
    )

    init = _action(actions, "init", "write the configuration, keys and server users of a new broker", common, changing)
    init.add_argument(
        "--host", action="append", required=True, help="host name or address that stations use; may be repeated"
    )
    init.add_argument("--port", type=int, default=8883, help="default: 8883")
    init.add_argument("--prefix", default="wildpost", help="first levels of every topic (default: wildpost)")
    init.set_defaults(run=run_init)
    for name, about in (
        ("add-station", "create a password and access rights for a station"),
        ("rotate", "replace the password of a station or user"),
        ("revoke", "remove the password and access rights of a station"),
    ):
        action = _action(actions, name, about, common, changing)
        action.add_argument("name", help="name of the station, as in its settings")
        action.set_defaults(run={"add-station": run_add, "rotate": run_rotate, "revoke": run_revoke}[name])
    renew = _action(actions, "renew", "issue a new broker certificate from the same authority", common, changing)
    renew.add_argument("--host", action="append", default=[], help="default: the hosts of the old certificate")
    renew.set_defaults(run=run_renew)
    _action(actions, "list", "print the users and the expiry dates of the certificates", common).set_defaults(
        run=run_list
    )


def run_init(arguments: argparse.Namespace) -> int:
    """Create the folder of a new broker and print the next step."""
    folder = BrokerFolder(arguments.folder, arguments.prefix, arguments.port)
    folder.create(arguments.host)
    _apply_owner_and_reload(arguments)
    print(f"{arguments.folder}/mosquitto.conf is ready; keep {arguments.folder}/ca.key secret")
    print(f"password of the server: {arguments.folder}/handover/wildpost-ingest")
    print(f"next: wildpost broker add-station {arguments.folder} NAME")
    return 0


def run_add(arguments: argparse.Namespace) -> int:
    """Add a station to the broker and print the folder of the station's credentials."""
    folder = _open_folder(arguments.folder)
    if arguments.name in folder.users():
        raise BrokerFolderError(f"station {arguments.name!r} already exists: use rotate for a new password")
    _report_handover(arguments, folder.set_password(arguments.name))
    return 0


def run_rotate(arguments: argparse.Namespace) -> int:
    """Replace the broker password of a station or user."""
    folder = _open_folder(arguments.folder)
    if arguments.name not in folder.users():
        raise BrokerFolderError(f"no user {arguments.name!r}: expected one of {', '.join(sorted(folder.users()))}")
    _report_handover(arguments, folder.set_password(arguments.name))
    return 0


def run_revoke(arguments: argparse.Namespace) -> int:
    """Remove a station's broker password and access rights."""
    _open_folder(arguments.folder).remove(arguments.name)
    _apply_owner_and_reload(arguments)
    print(f"{arguments.name} can no longer connect" + _reload_hint(arguments))
    return 0


def run_renew(arguments: argparse.Namespace) -> int:
    """Replace the broker's certificate by a new one and print its expiry date."""
    from wildpost.broker.certificates import expires_at

    _open_folder(arguments.folder).renew_certificate(arguments.host)
    _apply_owner_and_reload(arguments)
    print(f"valid until {expires_at(arguments.folder / 'broker.crt'):%Y-%m-%d}" + _reload_hint(arguments))
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Print the broker's users and the expiry dates of its certificates."""
    from wildpost.broker.certificates import expires_at

    for user in sorted(_open_folder(arguments.folder).users()):
        print(user)
    for name in ("broker", "ca"):
        print(f"{name}.crt is valid until {expires_at(arguments.folder / f'{name}.crt'):%Y-%m-%d}")
    return 0


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    about: str,
    *parents: argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    return actions.add_parser(name, help=about, description=about, parents=list(parents))


def _open_folder(path: Path) -> BrokerFolder:
    """Open the folder of an existing broker; read port and topic prefix from the broker's mosquitto.conf."""
    try:
        settings = (path / "mosquitto.conf").read_text(encoding="utf-8")
    except OSError as error:
        raise BrokerFolderError(f"{path}: no broker here; create one with wildpost broker init") from error
    port = int(settings.partition("\nlistener ")[2].partition("\n")[0])
    prefix = settings.partition("# topics begin with ")[2].partition("\n")[0]
    return BrokerFolder(path, prefix, port)


def _report_handover(arguments: argparse.Namespace, handover: Path) -> None:
    _apply_owner_and_reload(arguments)
    print(
        f"hand over {handover}: broker.toml for its settings, ca.crt, and wildpost.env with the password"
        + _reload_hint(arguments)
    )


def _reload_hint(arguments: argparse.Namespace) -> str:
    return "" if arguments.reload else "; takes effect when the broker reloads its files: kill -HUP, or --reload PID"


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
            if path.name not in ("ca.key",) and "handover" not in path.parts:
                shutil.chown(path, owner, owner)
    if arguments.reload:
        os.kill(arguments.reload, signal.SIGHUP)
