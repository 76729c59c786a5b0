"""Notifier for the services that Apprise supports, such as mail, webhooks, WeCom, DingTalk, Feishu and ntfy."""

import logging
import os
import re
from typing import Annotated, Literal

import msgspec

from contract.errors import InvalidInput, Undelivered
from contract.redaction import VariableName
from ingest.alerts.port import Message

_TYPES: dict[str, str] = {"notice": "info", "warning": "warning", "urgent": "failure"}


class NotConfigured(InvalidInput):
    """Invalid configuration of a notifier; the message says what to change."""


class AppriseOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one notifier that uses Apprise.

    Attributes:
        name: Name in the log and in the alert queue; do not change it once in use, or queued alerts are abandoned.
        url_variable: Name of the environment variable with the Apprise URL, which includes its secrets.
        language: "zh_CN" or "en".
        picture: "blurred" hides people, "plain" shows them, "none" sends no picture.
    """

    name: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{1,60}\Z")]
    url_variable: VariableName
    language: Literal["zh_CN", "en"] = "zh_CN"
    picture: Literal["blurred", "plain", "none"] = "blurred"


class AppriseNotifier:
    """Notifier that sends alerts to one Apprise URL; implements ``Notifier``."""

    def __init__(self, options: AppriseOptions) -> None:
        """Read the Apprise URL from the environment variable that the settings name.

        Raises:
            NotConfigured: the variable is not set, or Apprise does not know the URL.
        """
        import apprise

        url = os.environ.get(options.url_variable, "")
        if not url:
            raise NotConfigured(
                f"notifier {options.name!r} requires an Apprise URL in {options.url_variable}: it is not set"
            )
        service = apprise.Apprise.instantiate(url)
        if service is None:
            # The message omits the URL, which contains passwords.
            raise NotConfigured(
                f"notifier {options.name!r}: {options.url_variable} (scheme {_scheme(url)!r}) is not a URL that "
                "Apprise knows; see https://appriseit.com/services/"
            )
        self._options = options
        self._service = apprise.Apprise()
        self._service.add(service)
        self._secrets = sorted((part for part in re.split(r"[/:@?&=]", url) if len(part) > 5), key=len, reverse=True)

    @property
    def name(self) -> str:
        """Name given to the notifier in its settings; see ``Notifier.name``."""
        return self._options.name

    @property
    def picture(self) -> str:
        """Kind of picture chosen in the notifier's settings; see ``Notifier.picture``."""
        return self._options.picture

    def send(self, message: Message) -> None:
        """Send a message to the Apprise URL; see ``Notifier.send``."""
        import apprise
        from apprise.attachment.memory import AttachMemory

        words, picture = message.words[self._options.language], message.pictures.get(self._options.picture)
        attachment = None
        if picture is not None:
            name = f"{message.alert.incident_id[:8]}.{picture.type.partition('/')[2].replace('jpeg', 'jpg')}"
            attachment = apprise.AppriseAttachment(AttachMemory(content=picture.data, name=name, mimetype=picture.type))  # type: ignore[no-untyped-call]
        log: list[str] = []
        delivered = self._service.notify(
            body=f"{words.body}\n\n{message.link}" if message.link else words.body,
            title=words.title,
            notify_type=_TYPES[message.alert.severity],
            body_format=apprise.NotifyFormat.TEXT,
            attach=attachment,
            log_level=logging.WARNING,
            log_callback=lambda entry, _: log.append(entry.message),  # the only source of the reason of a failure
        )
        if not delivered:
            raise Undelivered(
                self._without_secrets(" ".join(" ".join(log).split()))
                or "Apprise could not deliver the message and reported no reason"
            )

    def close(self) -> None:
        """Do nothing, since Apprise keeps no connection open; see ``Notifier.close``."""

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return text[:1000]


def _scheme(url: str) -> str:
    return url.partition("://")[0][:20] if "://" in url else ""
