"""Labels that may appear in alerts: those of the taxa table and of the server's settings, and no others."""

from collections.abc import Iterable, Mapping
from typing import get_args

from contract.messages import ObservationType
from i18n.taxonomy import shipped_taxonomy

OTHER = "other"  # replaces every unknown label; translated where it is shown
PROBLEMS = frozenset(("silent", "blind", "deaf", "broken", "clock", "disk", "overload"))  # kinds that the server names
_KINDS = frozenset(get_args(ObservationType)) | {OTHER}


class KnownLabels:
    """Set of the labels that the server knows.

    A label in a message is free text of the sender. Shown in an alert, it would let whoever has a station's password
    send any text, such as a link, to the phones of all rangers.
    """

    def __init__(self, labels: Iterable[str] = ()) -> None:
        """Create the set from the taxa table and further labels or scientific names, such as those of the rules."""
        self._labels = frozenset(label.casefold() for label in labels)

    def __contains__(self, label: str) -> bool:
        """Return whether a label or scientific name is known."""
        return label.casefold() in self._labels or shipped_taxonomy().find(label) is not None

    def kind(self, kind: str) -> str:
        """Return a kind of occurrence if it is a word of the contract, of the server or a known label, else OTHER."""
        return kind if kind in PROBLEMS or kind in _KINDS or kind in self else OTHER

    def reason(self, values: Mapping[str, str]) -> dict[str, str]:
        """Return the values of a flag's explanation without text of the station: unknown labels become OTHER."""
        shown = {name: value for name, value in values.items() if name not in ("label", "scientific_name", "sensor")}
        label, scientific_name = values.get("label", ""), values.get("scientific_name", "")
        if scientific_name and scientific_name in self:
            shown["scientific_name"] = scientific_name
        known = self.kind(label)
        shown["label"] = known if known != OTHER else shown.get("scientific_name", OTHER)
        return shown
