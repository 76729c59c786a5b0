"""Accounts and areas, on SQLite and PostgreSQL: what they hold, what they refuse, and what the audit log says of it."""

import pytest

from casebook.access.accounts import MAX_STATIONS, AccountProblem, Accounts
from casebook.access.actor import Actor
from casebook.access.audit import AuditLog
from casebook.incidents.database import Database

ADMINISTRATOR = Actor("a-1", "Zhao", "county bureau")


def add(accounts: Accounts, name: str = "limin", **changes: object) -> None:
    values: dict[str, object] = {"display_name": "李敏", "roles": ["ranger"], "areas": ["*"], "unit": ""}
    accounts.add(name, password_hash="$hash", by=ADMINISTRATOR, **values | changes)  # type: ignore[arg-type]


def test_an_account_is_found_by_its_name_in_any_case_with_its_hash(database: Database) -> None:
    accounts = Accounts(database)
    assert not accounts.exist()
    add(accounts, unit="县林业局")
    found = accounts.find("LiMin")
    assert found is not None
    account, password_hash = found
    assert (account.name, account.display_name, account.unit, account.roles, account.areas) == (
        "limin",
        "李敏",
        "县林业局",
        ("ranger",),
        ("*",),
    )
    assert (password_hash, account.disabled_at) == ("$hash", None)
    assert accounts.exist() and accounts.all() == [account]
    assert accounts.find("li") is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": "Li Min"}, "expected up to 32 of a-z"),
        ({"name": ""}, "expected up to 32"),
        ({"name": "../x"}, "expected up to 32"),
        ({"display_name": ""}, "display_name ''"),
        ({"display_name": "x" * 101}, "expected up to 100"),
        ({"display_name": "a\x1b[2Jb"}, "printable"),
        ({"unit": "a\nb"}, "unit"),
        ({"roles": []}, "expected some of administrator"),
        ({"roles": ["king"]}, "king"),
        ({"areas": []}, "expected one or more of"),
        ({"areas": ["north"]}, "north"),
    ],
)
def test_an_account_with_an_unusable_value_is_refused_and_nothing_is_kept(
    database: Database, changes: dict[str, object], problem: str
) -> None:
    accounts = Accounts(database)
    with pytest.raises(AccountProblem, match=problem):
        add(accounts, **changes)  # type: ignore[arg-type]
    assert accounts.all() == [] and AuditLog(database).entries() == []


def test_a_name_is_given_once(database: Database) -> None:
    accounts = Accounts(database)
    add(accounts)
    with pytest.raises(AccountProblem, match="exists already"):
        add(accounts)


def test_roles_areas_and_names_can_be_changed_and_accounts_disabled_and_enabled(database: Database) -> None:
    accounts = Accounts(database)
    add(accounts)
    accounts.set_area("北片", ["ridge-07", "ridge-08", "ridge-07"], ADMINISTRATOR)
    accounts.change("limin", {"roles": ["ranger", "analyst"], "areas": ["北片"]}, ADMINISTRATOR)
    accounts.disable("limin", ADMINISTRATOR)
    (account,) = accounts.all()
    assert (account.roles, account.areas, account.display_name) == (("ranger", "analyst"), ("北片",), "李敏")
    assert account.disabled_at is not None
    accounts.enable("limin", ADMINISTRATOR)
    assert accounts.all()[0].disabled_at is None
    for change in (accounts.disable, accounts.enable, accounts.end_sessions):
        with pytest.raises(AccountProblem, match="no such account"):
            change("nobody", ADMINISTRATOR)


def test_areas_name_stations_and_stay_while_an_account_has_them(database: Database) -> None:
    accounts = Accounts(database)
    for name, stations in (("", ["a"]), ("*", ["a"]), ("north", []), ("north", map(str, range(MAX_STATIONS + 1)))):
        with pytest.raises(AccountProblem, match="area"):
            accounts.set_area(name, list(stations), ADMINISTRATOR)
    accounts.set_area("north", ["a"], ADMINISTRATOR)
    accounts.set_area("north", ["b", "a"], ADMINISTRATOR)
    assert accounts.areas() == {"north": ("a", "b")}
    add(accounts, areas=["north"])
    with pytest.raises(AccountProblem, match="limin"):
        accounts.remove_area("north", ADMINISTRATOR)
    accounts.change("limin", {"areas": ["*"]}, ADMINISTRATOR)
    accounts.remove_area("north", ADMINISTRATOR)
    with pytest.raises(AccountProblem, match="no such area"):
        accounts.remove_area("north", ADMINISTRATOR)


def test_the_audit_log_says_who_changed_which_account_and_how(database: Database) -> None:
    accounts = Accounts(database)
    accounts.set_area("north", ["a"], ADMINISTRATOR)
    add(accounts, areas=["north"])
    accounts.set_password("limin", "$other", ADMINISTRATOR)
    accounts.disable("limin", ADMINISTRATOR)
    entries = AuditLog(database).entries()
    assert [(one.action, one.content) for one in reversed(entries)] == [
        ("area set", "north: a"),
        ("account added", "limin; display_name 李敏; unit ; roles ranger; areas north"),
        ("password changed", "limin"),
        ("account disabled", "limin"),
    ]
    assert {(one.actor_id, one.name, one.unit) for one in entries} == {("a-1", "Zhao", "county bureau")}
    assert not any("$" in str(one) for one in entries)
