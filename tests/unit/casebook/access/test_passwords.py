"""Passwords: what is accepted, and that only their Argon2id hashes are compared."""

import threading
from typing import Literal

import pytest
from argon2 import PasswordHasher

from casebook.access import passwords
from casebook.access.passwords import Passwords, PasswordsBusy, UnusablePassword, check_password
from tests.accounts import QUICK
from tests.eventually import eventually


def test_hashes_are_argon2id_with_the_parameters_of_rfc_9106() -> None:
    hashed = Passwords().hash("correct horse battery")
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert Passwords().verify(hashed, "correct horse battery")
    assert not Passwords().verify(hashed, "correct horse batterz")


def test_equal_passwords_have_different_hashes() -> None:
    hasher = Passwords(QUICK)
    assert hasher.hash("correct horse battery") != hasher.hash("correct horse battery")


def test_a_password_typed_in_full_width_letters_is_the_same() -> None:
    hasher = Passwords(QUICK)
    assert hasher.verify(hasher.hash("correct horse 12"), "ｃｏｒｒｅｃｔ ｈｏｒｓｅ １２")


def test_without_a_hash_the_same_work_is_done_and_nothing_fits() -> None:
    verified: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002, argon2's name
            verified.append(str(hash))
            return super().verify(hash, password)

    hasher = Passwords(Counting(time_cost=1, memory_cost=8, parallelism=1))
    known = hasher.hash("correct horse battery")
    assert not hasher.verify(known, "another password")
    assert not hasher.verify(None, "another password")
    assert not hasher.verify("damaged", "another password")
    assert len(verified) == 3
    assert verified[0].split("$")[:4] == verified[1].split("$")[:4]


def test_a_hash_with_other_parameters_is_outdated() -> None:
    old = Passwords(QUICK).hash("correct horse battery")
    assert Passwords().is_outdated(old)
    assert not Passwords(QUICK).is_outdated(old)


def test_only_so_many_hashes_are_computed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_WAIT_S", 0.05)
    release = threading.Event()

    class Slow(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002, argon2's name
            release.wait(60)
            return True

    hasher = Passwords(Slow(time_cost=1, memory_cost=8, parallelism=1))
    threads = [threading.Thread(target=hasher.verify, args=("x", "y")) for _ in range(2)]
    for thread in threads:
        thread.start()
    eventually(lambda: not hasher._slots._value, "both slots are taken")
    with pytest.raises(PasswordsBusy):
        hasher.verify(None, "y")
    release.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("password", ["", "short", "aaaaaaaaaaaaaaa", "ababababababab", "limin-password", "x" * 1001])
def test_a_weak_password_is_refused(password: str) -> None:
    with pytest.raises(UnusablePassword):
        check_password(password, "LiMin")


@pytest.mark.parametrize("password", ["correct horse battery", "山中有虎豹出没请小心慢行", "0123456789 ab"])
def test_a_long_password_of_any_letters_is_accepted(password: str) -> None:
    check_password(password, "limin")
