"""Functions for executors to run; apart from the tests, so that worker processes import little."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


class TwoArguments(Exception):
    """Cannot be read back from a pickle, as its arguments are not those of ``__init__``."""

    def __init__(self, number: int, name: str) -> None:
        super().__init__(f"{name} is {number}")


def opened(function: Callable[[Task], Result]) -> Callable[[Task], Result]:
    """Return the function, as ``open_function`` does."""
    return function


def double(number: int) -> int:
    return 2 * number


def double_slowly_at_first(number: int) -> int:
    time.sleep(2.0 if number == 0 else 0.0)
    return 2 * number


def sleep(number: int) -> int:
    time.sleep(0.05)
    return number


def refuse_three(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return number


def raise_two_arguments(number: int) -> NoReturn:
    raise TwoArguments(number, "number")


def return_a_function(number: int) -> Callable[[], int]:
    return lambda: number


def kill_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def exit_at_three(number: int) -> int:
    if number == 3:
        os._exit(1)
    return number


def die_soon_after_three(number: int) -> int:
    if number == 3:
        threading.Timer(0.2, os._exit, (1,)).start()
    time.sleep(0.05)
    return number


def refuse_to_open() -> Callable[[int], int]:
    raise FileNotFoundError("weights")


class OpenCounted:
    """Notes each opening as a file in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self) -> Callable[[int], int]:
        (self.folder / f"{os.getpid()}-{time.monotonic_ns()}").touch()
        return double


def open_double() -> Callable[[int], int]:
    return double
