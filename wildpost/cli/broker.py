"""`wildpost broker`: an MQTT broker with TLS in which a station speaks for itself alone."""

import argparse
import os
import pwd
import shutil
import signal
from pathlib import Path

from wildpost.broker.folder import BrokerFolder, BrokerFolderError


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `wildpost broker` and what it can do."""
    about = "make and keep the files of a Mosquitto broker: certificates, passwords, rights"
    broker = commands.add_parser("broker", help=about, description=about)
    actions = broker.add_subparsers(required=True, metavar="ACTION")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("folder", type=Path, help="the broker's folder, such as /etc/mosquitto/wildpost")
    changing = argparse.ArgumentParser(add_help=False)
    changing.add_argument(
        "--reload", type=_running, metavar="PID", help="tell this running mosquitto to read them again"
    )
    changing.add_argument(
        "--owner", type=_owner, help="user the files belong to, by name or number, such as mosquitto (needs root)"
    )

    init = _action(actions, "init", "write a new broker's configuration, keys and the server's users", common, changing)
    init.add_argument("--host", action="append", required=True, help="by which stations reach it; may be repeated")
    init.add_argument("--port", type=int, default=8883, help="default: 8883")
    init.add_argument("--prefix", default="wildpost", help="first levels of every topic (default: wildpost)")
    init.set_defaults(run=run_init)
    for name, about in (
        ("add-station", "give a station a password and rights of its own"),
        ("rotate", "give a station or user another password"),
        ("revoke", "take a station's password and rights away"),
    ):
        action = _action(actions, name, about, common, changing)
        action.add_argument("name", help="of the station, as in its settings")
        action.set_defaults(run={"add-station": run_add, "rotate": run_rotate, "revoke": run_revoke}[name])
    renew = _action(actions, "renew", "make the broker a new certificate, by the same authority", common, changing)
    renew.add_argument("--host", action="append", default=[], help="default: those of the old one")
    renew.set_defaults(run=run_renew)
    _action(actions, "list", "who may connect, and until when the certificates are good", common).set_defaults(
        run=run_list
    )


def run_init(arguments: argparse.Namespace) -> int:
    """Make a broker's folder."""
    folder = BrokerFolder(arguments.folder, arguments.prefix, arguments.port)
    folder.make(arguments.host)
    _settle(arguments)
    print(f"{arguments.folder}/mosquitto.conf is ready; keep {arguments.folder}/ca.key where no one else reads it")
    print(f"the server's own password: {arguments.folder}/handover/wildpost-ingest")
    print(f"next: wildpost broker add-station {arguments.folder} NAME")
    return 0


def run_add(arguments: argparse.Namespace) -> int:
    """Add a station."""
    folder = _opened(arguments.folder)
    if arguments.name in folder.users():
        raise BrokerFolderError(f"station {arguments.name!r} is there already: rotate it for another password")
    _handed(arguments, folder.add(arguments.name))
    return 0


def run_rotate(arguments: argparse.Namespace) -> int:
    """Change a password."""
    folder = _opened(arguments.folder)
    if arguments.name not in folder.users():
        raise BrokerFolderError(f"no user {arguments.name!r}: expected one of {', '.join(sorted(folder.users()))}")
    _handed(arguments, folder.add(arguments.name))
    return 0


def run_revoke(arguments: argparse.Namespace) -> int:
    """Shut a station out."""
    _opened(arguments.folder).remove(arguments.name)
    _settle(arguments)
    print(f"{arguments.name} may not connect any more" + _when(arguments))
    return 0


def run_renew(arguments: argparse.Namespace) -> int:
    """Renew the broker's certificate."""
    from wildpost.broker.certificates import expires_at

    _opened(arguments.folder).renew(arguments.host)
    _settle(arguments)
    print(f"good until {expires_at(arguments.folder / 'broker.crt'):%Y-%m-%d}" + _when(arguments))
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Say who may connect."""
    from wildpost.broker.certificates import expires_at

    for user in sorted(_opened(arguments.folder).users()):
        print(user)
    for name in ("broker", "ca"):
        print(f"{name}.crt is good until {expires_at(arguments.folder / f'{name}.crt'):%Y-%m-%d}")
    return 0


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    about: str,
    *parents: argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    return actions.add_parser(name, help=about, description=about, parents=list(parents))


def _opened(path: Path) -> BrokerFolder:
    """Read port and prefix back from what init wrote."""
    try:
        settings = (path / "mosquitto.conf").read_text(encoding="utf-8")
    except OSError as error:
        raise BrokerFolderError(f"{path}: no broker here; make one: wildpost broker init") from error
    port = int(settings.partition("\nlistener ")[2].partition("\n")[0])
    prefix = settings.partition("# topics begin with ")[2].partition("\n")[0]
    return BrokerFolder(path, prefix, port)


def _handed(arguments: argparse.Namespace, handover: Path) -> None:
    _settle(arguments)
    print(
        f"hand over {handover}: broker.toml for its settings, ca.crt, and wildpost.env with the password"
        + _when(arguments)
    )


def _when(arguments: argparse.Namespace) -> str:
    return "" if arguments.reload else "; it counts when the broker reads its files again: kill -HUP, or --reload PID"


def _owner(text: str) -> int | str:
    """Say no before anything is written: half a broker cannot be made again in the same place."""
    if os.geteuid() != 0:
        raise argparse.ArgumentTypeError(f"{text}: only root gives files to another user (sudo)")
    if text.isdigit():  # a container has no names
        return int(text)
    try:
        pwd.getpwnam(text)
    except KeyError as error:
        raise argparse.ArgumentTypeError(f"{text}: no such user on this machine") from error
    return text


def _running(text: str) -> int:
    try:
        os.kill(int(text), 0)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: expected the number of one process (pidof mosquitto)") from error
    except ProcessLookupError as error:
        raise argparse.ArgumentTypeError(f"{text}: no such process (pidof mosquitto)") from error
    except PermissionError as error:
        raise argparse.ArgumentTypeError(f"{text}: belongs to another user (sudo)") from error
    return int(text)


def _settle(arguments: argparse.Namespace) -> None:
    if arguments.owner is not None:
        owner = arguments.owner
        for path in [arguments.folder, *arguments.folder.rglob("*")]:
            if path.name not in ("ca.key",) and "handover" not in path.parts:
                shutil.chown(path, owner, owner)
    if arguments.reload:
        os.kill(arguments.reload, signal.SIGHUP)
