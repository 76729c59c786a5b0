"""Writes the registry file that makes a user's own network available to stations."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from models.registry import VisionFacts, sha256_of


def write_entry(name: str, version: str, licence: str, weights: Path, facts: VisionFacts, note: str = "") -> Path:
    """Write the registry file ``NAME.toml`` of a vision network into the folder of its weights.

    Args:
        name: The name of the model in settings.
        version: Version of the weights.
        licence: Licence of the weights, as far as the licences of the pictures and the base allow.
        weights: The weights file, in its final folder.
        facts: Input size, output format and classes.
        note: A note for users.

    Returns:
        Path of the registry file.
    """
    lines = [
        *_head("vision", name, version, licence, weights, note),
        f"[models.{_text(name)}.vision]",
        f"head = {_text(facts.head)}",
        f"width = {facts.width}",
        f"height = {facts.height}",
        f"threshold = {facts.threshold}",
        f"temperature = {facts.temperature}",
        f"temperatures = {_table(facts.temperatures)}",
        f"thresholds = {_table(facts.thresholds)}",
        f"classes = [{', '.join(map(_text, facts.classes))}]",
        "",
        f"[models.{_text(name)}.vision.meanings]",
    ]
    for class_name, meaning in facts.meanings.items():
        scientific = f", scientific_name = {_text(meaning.scientific_name)}" if meaning.scientific_name else ""
        label, kind = _text(meaning.label), _text(meaning.observation_type)
        lines.append(f"{_text(class_name)} = {{ label = {label}, observation_type = {kind}{scientific} }}")
    return _write_file(name, weights, lines)


def write_threat_entry(
    name: str, version: str, licence: str, weights: Path, thresholds: Mapping[str, float], note: str = ""
) -> Path:
    """Write the registry file ``NAME.toml`` of a threat-sound network into the folder of its weights.

    Args:
        name: The name of the model in settings.
        version: Version of the weights.
        licence: Licence of the weights, as far as the licences of the recordings allow.
        weights: The weights file, in its final folder.
        thresholds: The lowest confidence that is reported, by label.
        note: A note for users.

    Returns:
        Path of the registry file.
    """
    limits = [f"{_text(label)} = {least:g}" for label, least in thresholds.items()]
    head = _head("threat", name, version, licence, weights, note)
    return _write_file(name, weights, [*head, f"[models.{_text(name)}.threat.thresholds]", *limits])


def _head(kind: str, name: str, version: str, licence: str, weights: Path, note: str) -> list[str]:
    return [
        f"# wildpost models evaluate {name} DATA --registry {name}.toml",
        f"[models.{_text(name)}]",
        f"kind = {_text(kind)}",
        f"version = {_text(version)}",
        f"licence = {_text(licence)}",
        'homepage = ""',
        f"filename = {_text(weights.name)}",
        f"file = {_text(weights.name)}",
        f"sha256 = {_text(sha256_of(weights))}",
        f"size = {weights.stat().st_size}",
        f"note = {_text(note)}",
        "",
    ]


def _write_file(name: str, weights: Path, lines: Sequence[str]) -> Path:
    path = weights.with_name(f"{name}.toml")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _table(values: Mapping[str, float]) -> str:
    return f"{{ {', '.join(f'{_text(name)} = {value}' for name, value in values.items())} }}"


def _text(value: str) -> str:
    """Quote a text as a TOML basic string with JSON's escapes, which are all valid in TOML."""
    import msgspec

    return msgspec.json.encode(value).decode()
