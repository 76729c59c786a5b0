"""The intake as a program of its own, for tests that kill it: FOLDER and ReceiverOptions as JSON are its arguments."""

import sys
import time
from pathlib import Path

import msgspec

from casebook.casebook import Casebook
from ingest.media.folder import FolderMedia
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.rules.rule_set import Rule, RuleSet, RulesOptions
from ingest.service import IngestService
from ingest.store.duckdb.store import DuckDbStore


def main() -> None:
    """Serve until killed, and print how it fares whenever that changes."""
    folder = Path(sys.argv[1])
    store = DuckDbStore(folder / "detections.duckdb")
    casebook = Casebook(f"sqlite:///{folder}/casebook.sqlite")
    rules = RuleSet(RulesOptions(rule=(Rule(name="person", observation_types=("human",)),)), ())
    options = msgspec.json.decode(sys.argv[2], type=ReceiverOptions)
    serving = IngestService(store, casebook, FolderMedia(folder / "media"), rules, options)
    serving.start()
    said = b""
    while True:
        state, totals = serving.state(), casebook.totals()
        events = sum(station.events for station in store.stations())
        word = msgspec.json.encode({"events": events, "state": state, "totals": totals})
        if word != said:
            print(word.decode(), flush=True)
            said = word
        time.sleep(0.02)


if __name__ == "__main__":
    main()
