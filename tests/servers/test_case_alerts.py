"""A reminder of a deadline reaches people by the ways of all alerts: a real webhook, in Chinese and English."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from casebook.casebook import Casebook
from casebook.cases.entry import Change
from casebook.cases.reminders import CaseReminders
from casebook.cases.repository import Cases
from casebook.incidents.alert_queue import AlertQueue
from casebook.incidents.database import Database
from casebook.incidents.reader import IncidentReader
from casebook.incidents.repository import Alert
from i18n.language import load_languages
from ingest.alerts.apprise_notifier import AppriseNotifier, AppriseOptions
from ingest.alerts.dispatcher import Dispatcher, RetryOptions
from ingest.alerts.message_writer import AlertMessageWriter
from ingest.case_reminder_loop import CaseReminderLoop
from ingest.drawing.drawings import Drawings
from ingest.media.folder import FolderMedia
from ingest.store.duckdb.store import DuckDbStore
from tests.cases import opened_case
from tests.eventually import eventually
from tests.servers.listeners import Webhook

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def test_a_webhook_is_told_of_a_deadline_that_has_passed(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    casebook = Casebook(f"sqlite:///{tmp_path / 'casebook.sqlite'}")
    store = DuckDbStore(tmp_path / "detections.duckdb")
    database, drawings = Database(casebook.engine), Drawings(None)
    cases = Cases(database)
    writer = AlertMessageWriter(
        IncidentReader(database),
        store,
        FolderMedia(tmp_path / "media"),
        drawings,
        load_languages(ZoneInfo("Asia/Shanghai")),
        "https://reserve.example/",
        lambda: datetime.now(UTC),
        cases=cases,
    )
    monkeypatch.setenv("ALERT_URL", f"json://127.0.0.1:{webhook.port}/")
    notifier = AppriseNotifier(AppriseOptions(name="rangers", url_variable="ALERT_URL"))
    dispatcher = Dispatcher(AlertQueue(database, "rangers"), notifier, writer.write, RetryOptions())
    number = opened_case(cases, at=datetime.now(UTC) - timedelta(days=91)).number
    cases.add(number, Change(step="assigned", team="北片二组"), "李敏", datetime.now(UTC))
    raised: list[Alert] = []

    def wake(alerts: Sequence[Alert]) -> None:
        raised.extend(alerts)
        dispatcher.wake()

    loop = CaseReminderLoop(CaseReminders(database, cases, ["rangers"]).remind, wake)
    dispatcher.start()
    loop.start()
    try:
        eventually(lambda: webhook.taken, "the reminder")
        message = writer.write(raised[0], "none")
    finally:
        loop.stop()
        dispatcher.stop()
        drawings.close()
        store.close()
        casebook.close()
    (taken,) = webhook.taken
    assert taken["title"] == f"[紧急] 案件 {number}：行政处罚决定已逾期"
    assert f"https://reserve.example/cases/{number}" in taken["message"]
    assert "行政处罚法第60条" in taken["message"] and "队组：北片二组" in taken["message"]
    assert "青岭" not in taken["message"], "titles stay inside"
    assert message.words["en"].title == f"[Urgent] Case {number}: Decision on the penalty was due"
    assert message.record["case"] == number
