"""Options of remote care."""

from typing import Annotated

from msgspec import Meta, Struct


class RemoteOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of what the server may tell the station.

    Attributes:
        root_key: Public key of the root that `wildpost commands keygen` made; "": the station takes no commands and no
            settings from the server.
    """

    root_key: Annotated[str, Meta(pattern=r"\A([A-Za-z0-9+/]{43}=)?\Z")] = ""
