"""Imports message files from a USB stick (bundles) into a server's databases; the server may be stopped.

A running server holds its DuckDB file, so that no second process can write to it. Each server therefore takes in the
bundles in the folder `imports` of its data folder. The command copies bundles into that folder and waits for the
receipts. A lock on the folder tells whether a server does the work; where none does, the command does it itself. A
bundle in the folder survives the end of either process.
"""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from contract.bundle.documents import RECEIPT_SUFFIX, SUFFIX, Receipt, decode_document
from contract.durable_file import durable_file
from contract.errors import InvalidInput
from contract.private_files import make_private_folder
from contract.supervision import Supervisor
from ingest.intake import Intake
from ingest.receive.bundle.source import BundleSource
from ingest.receive.folder_lock import FolderLock
from ingest.receive.pipeline import ReceivePipeline
from wildpost.server.assembly import IMPORTS, open_databases
from wildpost.settings.server import ServerSettings

_MAX_BUNDLE_BYTES = 5_000_000_000  # more than the largest that a station writes
_LOOK_S = 0.2


class BundleImport:
    """Imports bundles from a USB stick through the running server, or directly if no server runs."""

    def __init__(self, settings: ServerSettings, folder: Path, beside: Path) -> None:
        """Store the settings and folders; ``run`` imports the bundles.

        Args:
            settings: Of the server.
            folder: Its data folder.
            beside: The folder that paths in the settings are relative to.
        """
        self._settings = settings
        self._folder = folder
        self._beside = beside
        self._imports = folder / IMPORTS
        self._said = ""
        self._own: tuple[ReceivePipeline, Supervisor] | None = None  # where no server runs

    def run(self, *paths: Path) -> Iterator[Receipt]:
        """Import bundles, or all bundles in folders, and yield the receipt of each.

        Each receipt is written beside its bundle before it is yielded; where it cannot be, its ``problems`` say so.

        Raises:
            InvalidInput: there is no bundle.
            StoreUnavailable: no server runs, and a database does not open.
            OSError: the data folder is full or not writable.
        """
        make_private_folder(self._imports)
        with ExitStack() as databases:
            databases.callback(self._forget_own)  # closed by then
            for bundle in [bundle for path in paths for bundle in _bundles(path)]:
                answer = self._imports / f"{bundle.name}{RECEIPT_SUFFIX}"
                if bundle.parent.samefile(self._imports):
                    raise InvalidInput(f"{bundle}: already where the server takes it in")
                answer.unlink(missing_ok=True)  # of an import that was killed
                self._copy(bundle)
                self._wait_for(answer, databases)
                yield self._bring_back(answer, bundle.with_name(answer.name))

    def _copy(self, bundle: Path) -> None:
        size = bundle.stat().st_size
        if size > _MAX_BUNDLE_BYTES:
            raise InvalidInput(f"{bundle}: {size} bytes; expected a bundle of at most {_MAX_BUNDLE_BYTES}")
        with bundle.open("rb") as source, durable_file(self._imports / bundle.name) as copy:
            shutil.copyfileobj(source, copy, 1_000_000)

    def _wait_for(self, answer: Path, databases: ExitStack) -> None:
        """Wait for the receipt ``answer``; if no server runs, import the bundle in this process."""
        lock = FolderLock(self._imports)
        while not answer.exists():
            if self._own is not None:
                pipeline, supervisor = self._own
                self._say(pipeline.problem or supervisor.problem)
            elif lock.acquire():
                lock.release()
                self._own = databases.enter_context(self._pipeline())
            else:
                self._say("the running server takes in the bundles")
            time.sleep(_LOOK_S)

    @contextmanager
    def _pipeline(self) -> Iterator[tuple[ReceivePipeline, Supervisor]]:
        with open_databases(self._settings, self._folder, self._beside, primary=False) as opened:
            intake = Intake(opened.store, opened.casebook, opened.media, opened.rules, opened.alerts.incident_service)
            prefix = self._settings.broker.prefix
            supervisor = Supervisor()
            quarantine = opened.casebook.quarantine
            source = BundleSource(self._imports, prefix, quarantine, _LOOK_S, settle_s=0, supervisor=supervisor)
            pipeline = ReceivePipeline(self._settings.broker, intake, [source], supervisor=supervisor)
            pipeline.start()
            try:
                yield pipeline, supervisor
            finally:
                pipeline.stop()

    def _forget_own(self) -> None:
        self._own = None

    def _bring_back(self, answer: Path, stick: Path) -> Receipt:
        document = answer.read_bytes()
        receipt = decode_document(document, Receipt)
        try:
            with durable_file(stick) as file:
                file.write(document)
        except OSError as error:
            problem = f"the receipt could not be written ({error}): the station will send these messages again"
            receipt = msgspec.structs.replace(receipt, problems=(*receipt.problems, problem))
        answer.unlink()
        return receipt

    def _say(self, problem: str) -> None:
        """Print a problem to standard error, unless it was the last one printed."""
        if problem and problem != self._said:
            print(f"wildpost: {problem}", file=sys.stderr, flush=True)
        self._said = problem or self._said


def _bundles(path: Path) -> list[Path]:
    """Return the bundle files in a folder, or ``path`` itself if it is a file; ignore symbolic links."""
    found = [path] if path.is_file() else sorted(path.glob(f"*{SUFFIX}"))
    bundles = [one for one in found if one.is_file() and not one.is_symlink() and not one.name.startswith(".")]
    if not bundles or any(not one.name.endswith(SUFFIX) for one in bundles):
        raise InvalidInput(f"{path}: expected a bundle, or a folder with bundles: files named *{SUFFIX}")
    return bundles
