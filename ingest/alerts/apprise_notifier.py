"""Tells people through Apprise: mail, webhooks, WeCom, DingTalk, Feishu, Telegram, ntfy and a hundred more."""

import logging
import os
import re
from typing import Annotated, Literal

import msgspec

from contract.errors import InvalidInput, Undelivered
from ingest.alerts.port import Message

_TYPES: dict[str, str] = {"notice": "info", "warning": "warning", "urgent": "failure"}


class NotConfigured(InvalidInput):
    """A way of telling people cannot be used as it is set up; the message says what to mend."""


class AppriseOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way of telling people.

    Attributes:
        name: What the log calls it; fixed once in use, for what waits is kept under it.
        url_variable: The environment variable that holds its Apprise URL, secrets and all.
        language: "zh_CN" or "en".
        picture: "blurred" hides the people in it, "plain" shows them, "none" sends none.
    """

    name: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{1,60}\Z")]
    url_variable: Annotated[str, msgspec.Meta(pattern=r"\A[A-Z_][A-Z0-9_]*\Z")]
    language: Literal["zh_CN", "en"] = "zh_CN"
    picture: Literal["blurred", "plain", "none"] = "blurred"


class AppriseNotifier:
    """One Apprise URL. See ``Notifier`` for the contract."""

    def __init__(self, options: AppriseOptions) -> None:
        """Read the URL from the environment.

        Raises:
            NotConfigured: it is not set, or is none that Apprise knows.
        """
        import apprise

        url = os.environ.get(options.url_variable, "")
        if not url:
            raise NotConfigured(
                f"alerts by {options.name!r} want an Apprise URL in {options.url_variable}: it is not set"
            )
        service = apprise.Apprise.instantiate(url)
        if service is None:
            # Not the URL itself: it holds passwords.
            raise NotConfigured(
                f"alerts by {options.name!r}: what {options.url_variable} holds (scheme {_scheme(url)!r}) is no URL "
                "that Apprise knows; see https://appriseit.com/services/"
            )
        self._options = options
        self._service = apprise.Apprise()
        self._service.add(service)
        self._secrets = sorted((part for part in re.split(r"[/:@?&=]", url) if len(part) > 5), key=len, reverse=True)

    @property
    def name(self) -> str:
        """See ``Notifier.name``."""
        return self._options.name

    @property
    def picture(self) -> str:
        """See ``Notifier.picture``."""
        return self._options.picture

    def send(self, message: Message) -> None:
        """See ``Notifier.send``."""
        import apprise
        from apprise.attachment.memory import AttachMemory

        words, picture = message.words[self._options.language], message.pictures.get(self._options.picture)
        attached = None
        if picture is not None:
            name = f"{message.alert.incident_id[:8]}.{picture.type.partition('/')[2].replace('jpeg', 'jpg')}"
            attached = apprise.AppriseAttachment(AttachMemory(content=picture.data, name=name, mimetype=picture.type))  # type: ignore[no-untyped-call]
        said: list[str] = []
        done = self._service.notify(
            body=f"{words.body}\n\n{message.link}" if message.link else words.body,
            title=words.title,
            notify_type=_TYPES[message.alert.severity],
            body_format=apprise.NotifyFormat.TEXT,
            attach=attached,
            log_level=logging.WARNING,
            log_callback=lambda entry, _: said.append(entry.message),  # all it tells of why something failed
        )
        if not done:
            raise Undelivered(
                self._without_secrets(" ".join(" ".join(said).split()))
                or "Apprise could not deliver it and does not say why"
            )

    def close(self) -> None:
        """See ``Notifier.close``; nothing is held open."""

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return text[:1000]


def _scheme(url: str) -> str:
    return url.partition("://")[0][:20] if "://" in url else ""
