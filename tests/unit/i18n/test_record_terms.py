"""What a record says in a word of the contract is said in a word of the reader's."""

import re
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from contract.codec import Reason
from contract.messages import ClockSource
from i18n.language import load_languages
from i18n.record_terms import clock_source, quarantine_reason

CHINESE = load_languages(ZoneInfo("Asia/Shanghai"))["zh_CN"]


@pytest.mark.parametrize("source", get_args(ClockSource))
def test_every_source_of_a_time_has_a_chinese_name(source: str) -> None:
    assert re.search("[\u4e00-\u9fff]", clock_source(source, CHINESE))


@pytest.mark.parametrize("reason", [*get_args(Reason), "file", "error"])
def test_every_reason_to_set_something_aside_has_a_chinese_name(reason: str) -> None:
    assert re.search("[\u4e00-\u9fff]", quarantine_reason(reason, CHINESE))


def test_what_a_later_version_says_is_shown_as_it_is() -> None:
    assert (clock_source("sundial", CHINESE), quarantine_reason("smell", CHINESE)) == ("sundial", "smell")
