"""What a hand-over pack has: first page, papers, media, verdicts; and how its export ends where something is wrong."""

import hashlib
import json
from pathlib import Path

import docx
import msgspec
import pytest

from casebook.cases.case_file import HeldEvent
from casebook.cases.entry import Change
from contract import encode, new_event_id
from contract.examples import EVENT
from pipelines.evidence.signature import KEY_FILE, own_fingerprint
from tests.cases import NOW, deployment, opened_case
from tests.packs import LATER, PICTURE, case_folder, casebook_of, exported
from wildpost.cli.main import main


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def first_page(pack: Path) -> str:
    return (pack / "data/00-first-page.html").read_text(encoding="utf-8")


def text_of(path: Path) -> str:
    paper = docx.Document(str(path))
    cells = [cell.text for table in paper.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(one.text for one in paper.paragraphs), *cells])


def test_the_key_is_made_once_and_for_its_owner_only(data: Path, tmp_path: Path) -> None:
    number = case_folder(data)
    exported(data, number, tmp_path / "one")
    key = own_fingerprint(data)
    assert (data / KEY_FILE).stat().st_mode & 0o777 == 0o600
    exported(data, number, tmp_path / "two")
    assert own_fingerprint(data) == key
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "one").rglob("*")} == {0}


def test_a_pack_has_the_media_that_the_server_has_and_names_those_that_it_has_not(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = exported(data, case_folder(data), tmp_path / "pack")
    names = {path.name for path in (pack / "data/media").iterdir()}
    assert names == {f"{hashlib.sha256(content).hexdigest()}.jpg" for content in (PICTURE, LATER)}
    absent = f"{'e' * 64} original IMG_0041.JPG: not on the server"
    assert absent in capsys.readouterr().out
    assert all(text in first_page(pack) for text in ("original IMG_0041.JPG", "e" * 64, "服务器上没有"))


def test_media_damaged_on_the_server_are_named_and_left_out(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = case_folder(data)
    sha256 = hashlib.sha256(PICTURE).hexdigest()
    (data / "media" / sha256[:2] / sha256).write_bytes(b"rotten")
    pack = exported(data, number, tmp_path / "pack")
    assert f"{sha256} thumbnail: damaged on the server" in capsys.readouterr().out
    assert not (pack / f"data/media/{sha256}.jpg").exists()
    assert main(["evidence", "verify", str(pack), "--data", str(data)]) == 0


@pytest.mark.parametrize(
    ("record", "zh", "en"),
    [
        (deployment(), "其记录是线索", "Its records are leads"),
        (deployment(evidence_use="reviewed-and-announced"), "可以作为证据", "may serve as evidence"),
        (b"", "是否经过审核并公布不明", "it is not known whether"),
    ],
)
def test_the_first_page_says_whether_records_are_leads_or_evidence(
    data: Path, tmp_path: Path, record: bytes, zh: str, en: str
) -> None:
    data.mkdir()
    with casebook_of(data) as (_, cases):
        number = opened_case(cases, HeldEvent(encode(EVENT), record)).number
    for language, said in (("zh", zh), ("en", en)):
        pack = exported(data, number, tmp_path / language, "--lang", language)
        assert said in first_page(pack)
        assert main(["evidence", "verify", str(pack), "--data", str(data)]) == 0


def test_two_deployments_of_a_station_count_as_the_weaker_one(data: Path, tmp_path: Path) -> None:
    data.mkdir()
    other = msgspec.structs.replace(EVENT, event_id=new_event_id(), deployment="b")
    records = deployment(), deployment(deployment="b", evidence_use="reviewed-and-announced")
    with casebook_of(data) as (_, cases):
        held = [HeldEvent(encode(event), record) for event, record in zip((EVENT, other), records, strict=True)]
        number = opened_case(cases, *held).number
    assert "其记录是线索" in first_page(exported(data, number, tmp_path / "pack"))


def test_messages_without_a_stations_signature_are_said_to_be_so(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data.mkdir()
    with casebook_of(data) as (_, cases):
        number = opened_case(cases, HeldEvent(encode(EVENT), deployment())).number
    pack = exported(data, number, tmp_path / "pack", "--lang", "en")
    assert "1 of 1 messages were not signed by the station" in first_page(pack)
    assert main(["evidence", "verify", str(pack), "--data", str(data)]) == 0
    assert "1 of 1 events were not signed by their station" in capsys.readouterr().out


def test_the_papers_of_the_law_are_filled_as_far_as_the_case_knows(data: Path, tmp_path: Path) -> None:
    number = case_folder(data)
    pack = exported(data, number, tmp_path / "pack", "--unit", "青岭县林业局")
    papers = sorted((pack / "data/papers").iterdir())
    titles = [text_of(path).splitlines()[0] for path in papers]
    assert titles == [
        "涉嫌犯罪案件移送书",
        "涉嫌犯罪案件情况的调查报告",
        "涉案物品清单",
        "有关检验报告或者鉴定结论",
        "其他有关涉嫌犯罪的材料",
        "回执",
    ]
    letter, report, items, *_, receipt = map(text_of, papers)
    assert number in letter and "青岭县林业局" in letter and "非法狩猎" in letter
    assert "2026年11月25日" in letter, "reported and opened"
    assert "周强" in report and "lake-07" in report
    assert "捕鸟网" in items and "画眉" in items and "放生 2" in items
    key = own_fingerprint(data)
    assert key is not None and key in letter and key in receipt


def test_verdicts_flags_models_and_keys_are_in_the_pack(data: Path, tmp_path: Path) -> None:
    pack = exported(data, case_folder(data), tmp_path / "pack")
    (verdict,) = map(json.loads, (pack / "data/verdicts.jsonl").read_text().splitlines())
    (flag,) = map(json.loads, (pack / "data/flags.jsonl").read_text().splitlines())
    assert (verdict["outcome"], verdict["classified_by"], flag["rule"]) == ("confirmed", "李敏", "people")
    equipment = json.loads((pack / "data/equipment.json").read_text())
    assert equipment["models"] == [{"name": "wildpost-nano", "version": "1", "sha256": "0" * 64}]
    (station,) = equipment["stations"]
    assert len(station["public_keys"]) == 1 and station["deployments"][0]["evidence_use"] == "lead"
    assert json.loads((pack / "data/case.json").read_text())["deadlines"][0]["rule"]["name"] == "transfer-approval"


def test_hostile_texts_of_a_case_are_text_in_the_first_page(data: Path, tmp_path: Path) -> None:
    data.mkdir()
    hostile = "</h1><script>alert(1)</script>\x01"
    with casebook_of(data) as (_, cases):
        change = Change(step="opened", kind="other", title=hostile, area=hostile, text=hostile)
        number = cases.open(change, [], "Li", NOW, 2026).number
    pack = exported(data, number, tmp_path / "pack")
    assert "<script>" not in first_page(pack)
    assert main(["evidence", "verify", str(pack), "--data", str(data)]) == 0


def test_an_export_is_in_the_custody_log_of_the_next(data: Path, tmp_path: Path) -> None:
    number = case_folder(data)
    exported(data, number, tmp_path / "one")
    pack = exported(data, number, tmp_path / "two")
    assert (pack / "data/custody.jsonl").read_text().count('"step":"exported"') == 2


def test_what_cannot_be_exported_is_named_and_leaves_nothing_behind(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = case_folder(data)
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    new = tmp_path / "new"

    def refused(case: str, folder: Path, *options: str) -> str:
        arguments = ["evidence", "export", case, str(folder), "--as", "Li", "--data", str(data), *options]
        assert main(arguments) == 1
        return capsys.readouterr().err

    assert "expected a new or empty folder" in refused(number, full)
    assert "there is none of this number" in refused("2026-LA-9999", new)
    assert "there is none of this number" in refused("../../etc", new)
    assert "1 to 200 characters" in refused(number, new, "--as", " ")
    (data / KEY_FILE).write_bytes(b"short")
    assert "5 bytes, expected 32" in refused(number, new)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "full"]
    assert [path.name for path in full.iterdir()] == ["mine.txt"]


def test_an_export_without_a_data_folder_makes_no_casebook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evidence", "export", "2026-LA-0001", str(tmp_path / "new"), "--as", "Li"]
    assert main([*arguments, "--data", str(tmp_path / "none")]) == 1
    assert "no casebook" in capsys.readouterr().err
    assert not (tmp_path / "none/casebook.sqlite").exists()


def test_verify_takes_a_fingerprint_or_a_public_key_and_ends_with_1_where_it_refuses(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = exported(data, case_folder(data), tmp_path / "pack")
    stranger = ["--data", str(tmp_path / "stranger")]
    assert main(["evidence", "key", str(tmp_path / "key.pem"), "--data", str(data)]) == 0
    key = capsys.readouterr().out.splitlines()[-1]
    assert key == own_fingerprint(data)
    for known in (key, key.upper(), str(tmp_path / "key.pem")):
        assert main(["evidence", "verify", str(pack), "--key", known, *stranger]) == 0
    assert f"signed by key {key}" in capsys.readouterr().out
    assert main(["evidence", "verify", str(pack), *stranger]) == 1
    assert "none was named" in capsys.readouterr().out
    assert main(["evidence", "verify", str(pack), "--key", "0" * 64, *stranger]) == 1
    assert f"expected one of {'0' * 64}" in capsys.readouterr().out
    assert main(["evidence", "verify", str(pack), "--key", "nonsense", *stranger]) == 1
    assert main(["evidence", "verify", str(tmp_path / "nowhere"), "--key", key]) == 1
    assert "expected the folder of a hand-over pack" in capsys.readouterr().err
    assert not (tmp_path / "stranger").exists(), "a verification makes nothing"
