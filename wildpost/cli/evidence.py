"""`wildpost evidence`: writes the hand-over pack of a case, verifies a pack, and shows the key that signs packs."""

import argparse
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from contract.errors import InvalidInput
from wildpost.settings.data_folder import data_folder, named_folder
from wildpost.settings.loader import load_settings

_SHOWN = 50  # problems of a pack that are printed


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `wildpost evidence` to the argument parser."""
    about = "hand-over packs of cases: write, verify, show the key"
    actions = commands.add_parser("evidence", help=about, description=about).add_subparsers(
        required=True, metavar="ACTION"
    )
    about = "write the hand-over pack of a case: a signed BagIt folder"
    export = actions.add_parser("export", help=about, description=about)
    export.add_argument("case", metavar="CASE", help="number of the case, such as 2026-LA-0007")
    export.add_argument("folder", type=Path, metavar="DIR", help="a new or empty folder")
    export.add_argument(
        "settings",
        type=Path,
        nargs="?",
        help="settings file of the server; needed for PostgreSQL, S3 and deadlines of its own",
    )
    export.add_argument(
        "--as", dest="name", required=True, metavar="NAME", help="who exports it; recorded in the custody log"
    )
    export.add_argument("--unit", default="", help="name of the bureau (default: left open)")
    export.add_argument("--lang", choices=["zh", "en"], default="zh", help="language of the papers (default: zh)")
    export.add_argument("--data", type=Path, help="data folder of the server (default: WILDPOST_DATA)")
    export.set_defaults(run=run_export)
    about = "check files, signature, custody log and events of a pack; needs no server"
    verify = actions.add_parser("verify", help=about, description=about)
    verify.add_argument("folder", type=Path, metavar="DIR", help="the folder of the pack")
    verify.add_argument(
        "--key",
        action="append",
        default=[],
        help="fingerprint of a trusted key, or its PEM file; may be repeated (default: the key of this server)",
    )
    verify.add_argument("--data", type=Path, help="data folder with the key of this server (default: WILDPOST_DATA)")
    verify.set_defaults(run=run_verify)
    about = "print the fingerprint of the key that signs packs, and write its public part to a file; make it if needed"
    key = actions.add_parser("key", help=about, description=about)
    key.add_argument("file", type=Path, nargs="?", metavar="FILE", help="write the public key in PEM to this new file")
    key.add_argument("--data", type=Path, help="data folder of the server (default: WILDPOST_DATA)")
    key.set_defaults(run=run_key)


def run_export(arguments: argparse.Namespace) -> int:
    """Write a pack and print what it has, and what is absent."""
    from casebook.casebook import Casebook
    from casebook.cases.repository import Cases
    from casebook.event_chain import EventChains
    from casebook.incidents.database import Database
    from contract.signing_key import open_key
    from i18n.language import load_languages
    from pipelines.evidence.pack import PackOptions, PackSource, write_pack
    from pipelines.evidence.signature import KEY_FILE
    from wildpost.server.stores import open_media
    from wildpost.settings.server import ServerSettings
    from wildpost.version import version_text

    settings = load_settings(arguments.settings, ServerSettings) if arguments.settings else ServerSettings()
    data = data_folder(arguments.data)
    if not settings.casebook.url and not (data / "casebook.sqlite").exists():
        raise InvalidInput(f"{data}: no casebook; name the server's data folder with --data DIR")
    if not 0 < len(arguments.name.strip()) <= 200:
        raise InvalidInput("--as: expected 1 to 200 characters")
    language = load_languages(ZoneInfo(settings.review.time_zone))["zh_CN" if arguments.lang == "zh" else "en"]
    options = PackOptions(arguments.name.strip(), datetime.now(UTC), arguments.unit, language)
    with closing(Casebook(settings.casebook.url_in(data))) as casebook:
        database = Database(casebook.engine)
        source = PackSource(
            casebook,
            Cases(database, settings.cases),
            EventChains(database),
            open_media(settings.media, data),
            open_key(data / KEY_FILE),
            f"wildpost {version_text()}",
        )
        written = write_pack(arguments.case, arguments.folder, source, options)
    print(f"{arguments.folder}: case {arguments.case}, {written.events} events, {written.media} media files")
    for one in written.absent:
        print(f"not in the pack: {one}")
    print(f"signed by key {written.key}")
    return 0


def run_verify(arguments: argparse.Namespace) -> int:
    """Verify a pack; return 1 if anything is wrong."""
    from pipelines.evidence.signature import named_fingerprint, own_fingerprint
    from pipelines.evidence.verification import verify_pack

    known = {named_fingerprint(one) for one in arguments.key}
    if not known and (own := own_fingerprint(named_folder(arguments.data))):
        known = {own}
    report = verify_pack(arguments.folder, known)
    for note in report.notes:
        print(f"note: {note}")
    for problem in report.problems[:_SHOWN]:
        print(f"refused: {problem}")
    if len(report.problems) > _SHOWN:
        print(f"refused: {len(report.problems) - _SHOWN} further problems")
    if report.problems:
        print(f"{arguments.folder}: not verified, {len(report.problems)} problems")
        if not known:
            print("name the key that the bureau gave you: --key FINGERPRINT, as printed on the papers")
        return 1
    print(
        f"{arguments.folder}: verified. Case {report.case}, {report.events} events, {report.media} media files, "
        f"signed by key {report.key}"
    )
    return 0


def run_key(arguments: argparse.Namespace) -> int:
    """Print the fingerprint of the server's key."""
    from contract.signing_key import open_key
    from pipelines.evidence.signature import KEY_FILE, fingerprint, public_pem

    key = open_key(data_folder(arguments.data) / KEY_FILE).public_key()
    if arguments.file:
        with arguments.file.open("xb") as file:
            file.write(public_pem(key))
    print(fingerprint(key))
    return 0
