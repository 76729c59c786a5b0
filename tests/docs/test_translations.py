"""Every word of the pages is there in every language, and what is compiled is what was written."""

import re
import subprocess
import sys

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from tests.repository import REPOSITORY

CATALOGS = REPOSITORY / "i18n" / "translations"
ASKS = ("i18n", "review", "ingest/alerts", "pipelines/reports")  # where translated text is written
LANGUAGES = ("zh_CN", "en")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The words that pages and code ask for."""
    target = tmp_path_factory.mktemp("words") / "messages.pot"
    command = [
        sys.executable,
        "-m",
        "babel.messages.frontend",
        "-q",
        "extract",
        "-F",
        "i18n/babel.cfg",
        *(word for function in ("translate", "_translate", "_sentence", "_blank") for word in ("-k", function)),
    ]
    subprocess.run([*command, "-o", str(target), *ASKS], cwd=REPOSITORY, check=True)
    with target.open("rb") as file:
        return {str(message.id) for message in read_po(file) if message.id}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_is_translated_and_none_is_left_over(language: str, words: set[str]) -> None:
    with (CATALOGS / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        catalog = read_po(file, locale=language)
    assert {str(message.id) for message in catalog if message.id} == words
    assert [message.id for message in catalog if message.id and (not message.string or message.fuzzy)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_was_written(language: str) -> None:
    folder = CATALOGS / language / "LC_MESSAGES"
    with (folder / "messages.po").open("rb") as file:
        written = {message.id: message.string for message in read_po(file) if message.id}
    with (folder / "messages.mo").open("rb") as file:
        compiled = {message.id: message.string for message in read_mo(file) if message.id}
    assert compiled == written


def test_placeholders_survive_translation() -> None:

    with (CATALOGS / "zh_CN" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        for message in read_po(file):
            names = re.findall(r"%\((\w+)\)s", str(message.id))
            assert sorted(names) == sorted(re.findall(r"%\((\w+)\)s", str(message.string))), message.id


def test_chinese_sentences_have_chinese_marks() -> None:
    han, marks = "[\u4e00-\u9fff“”、。》]", "[,:;?!]"
    wrong = re.compile(f"{han} ?{marks}|{marks} ?{han}|[(][^()]*{han}|{han}[(]")
    with (CATALOGS / "zh_CN" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        said = [re.sub(r"%\(\w+\)s", "", str(message.string)) for message in read_po(file) if message.id]
    text = (REPOSITORY / "README.zh-CN.md").read_text(encoding="utf-8")
    said += re.sub(r"\]\([^)]*\)|`[^`]*`", "", text).splitlines()
    assert [sentence for sentence in said if wrong.search(sentence)] == []
