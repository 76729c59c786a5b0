"""`wildpost commands keygen` makes a root and a signing key; a station trusts the root that its hand-over names."""

import stat
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from contract.envelope import open_envelope
from wildpost import command_keys
from wildpost.broker.folder import BrokerFolder
from wildpost.cli.main import main
from wildpost.command_keys import CommandKeyError, certify_new_key, create_keys, read_public, read_signer
from wildpost.settings.loader import SettingsError
from wildpost.settings.station import load_station

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def test_what_the_signing_key_seals_is_authentic_for_the_root(tmp_path: Path) -> None:
    assert main(["commands", "keygen", str(tmp_path / "keys")]) == 0
    signer = read_signer(tmp_path / "keys" / "commands-signing.json")
    sealed = signer.seal("lake-07", 5, "0" * 32, "status", "{}", NOW, NOW + timedelta(hours=1))
    root_key = read_public(tmp_path / "keys" / "commands-root.pub")
    envelope, _ = open_envelope(sealed, root_key)
    assert (envelope.station, envelope.serial, envelope.kind) == ("lake-07", 5, "status")


def test_the_private_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    create_keys(tmp_path, 10)
    for name in ("commands-root.key", "commands-signing.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_root_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create_keys(tmp_path, 10)
    before = (tmp_path / "commands-root.key").read_bytes()
    assert main(["commands", "keygen", str(tmp_path)]) == 1
    assert "commands-root.key exists" in capsys.readouterr().err
    assert (tmp_path / "commands-root.key").read_bytes() == before


def test_a_later_certificate_has_a_higher_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_keys(tmp_path, 10)
    first = read_signer(tmp_path / "commands-signing.json")

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=1)

    monkeypatch.setattr(command_keys, "datetime", Later)
    number = certify_new_key(tmp_path / "commands-root.key", tmp_path / "new.json", 10).number
    assert f'"number":{number}' in read_signer(tmp_path / "new.json").certificate
    assert number > int(first.certificate.split('"number":')[1].split(",")[0])
    assert read_signer(tmp_path / "new.json").key.private_bytes_raw() != first.key.private_bytes_raw()


def test_a_root_with_a_passphrase_certifies_only_with_it(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("long and secret\n")
    words = ["--passphrase-file", str(tmp_path / "words")]
    assert main(["commands", "keygen", str(tmp_path / "keys"), *words]) == 0
    root, new = tmp_path / "keys" / "commands-root.key", tmp_path / "new.json"
    assert main(["commands", "certify", str(root), str(new)]) == 1 and not new.exists()
    assert main(["commands", "certify", str(root), str(new), *words]) == 0 and new.exists()


@pytest.mark.parametrize("content", ["", "{}", '{"key":"AA==","certificate":"{}","root_key":"x"}', "\x00"])
def test_a_file_that_is_no_signing_key_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "signing.json"
    file.write_text(content)
    with pytest.raises(CommandKeyError, match=str(file)):
        read_signer(file)


def test_the_hand_over_of_a_station_names_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = BrokerFolder(tmp_path / "broker")
    folder.create(["broker.example"])
    assert "remote" not in (folder.add_station("ridge-01")[1] / "broker.toml").read_text()
    public = create_keys(tmp_path / "keys", 10)
    (folder.path / "commands-root.pub").write_bytes((tmp_path / "keys" / "commands-root.pub").read_bytes())
    given = folder.add_station("lake-07")[1]
    words = ["--name", "lake-07", "--deployment", "a", "--credentials", str(given)]
    assert main(["station", "init", str(tmp_path / "etc"), *words]) == 0
    monkeypatch.setenv("WILDPOST_BROKER_PASSWORD", "secret")
    assert load_station(tmp_path / "etc" / "station.toml").remote.root_key == public
    assert "remote" not in (folder.path / "handover" / "wildpost-watch" / "broker.toml").read_text()


def test_a_root_key_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "station.toml"
    file.write_text('[station]\nname="a"\ndeployment="b"\n[remote]\nroot_key="secret"\n')
    with pytest.raises(SettingsError, match=r"remote\.root_key: .*as `wildpost commands keygen` prints it"):
        load_station(file)
