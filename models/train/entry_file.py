"""Writes the registry file by which a station can name a network of one's own."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from models.registry import VisionFacts
from models.train.export import sha256_of


def write_entry(name: str, version: str, licence: str, weights: Path, facts: VisionFacts, note: str = "") -> Path:
    """Write ``NAME.toml`` beside the weights.

    Args:
        name: By which settings will name the model.
        version: Of the weights.
        licence: Of the weights: what the pictures and the base allow.
        weights: The file, already in its place.
        facts: How to feed and read it.
        note: A word to whoever chooses it.

    Returns:
        The registry file.
    """
    lines = [
        *_head("vision", name, version, licence, weights, note),
        f"[models.{_text(name)}.vision]",
        f"head = {_text(facts.head)}",
        f"width = {facts.width}",
        f"height = {facts.height}",
        f"threshold = {facts.threshold}",
        f"temperature = {facts.temperature}",
        f"thresholds = {{ {', '.join(f'{_text(label)} = {least}' for label, least in facts.thresholds.items())} }}",
        f"classes = [{', '.join(map(_text, facts.classes))}]",
        "",
        f"[models.{_text(name)}.vision.meanings]",
    ]
    for class_name, meaning in facts.meanings.items():
        latin = f", scientific_name = {_text(meaning.scientific_name)}" if meaning.scientific_name else ""
        label, kind = _text(meaning.label), _text(meaning.observation_type)
        lines.append(f"{_text(class_name)} = {{ label = {label}, observation_type = {kind}{latin} }}")
    return _written(name, weights, lines)


def write_threat_entry(
    name: str, version: str, licence: str, weights: Path, thresholds: Mapping[str, float], note: str = ""
) -> Path:
    """Write ``NAME.toml`` beside the weights of a network for threat sounds.

    Args:
        name: By which settings will name the model.
        version: Of the weights.
        licence: Of the weights: what the recordings allow.
        weights: The file, already in its place.
        thresholds: The lowest confidence that counts, by label.
        note: A word to whoever chooses it.

    Returns:
        The registry file.
    """
    limits = [f"{_text(label)} = {least:g}" for label, least in thresholds.items()]
    head = _head("threat", name, version, licence, weights, note)
    return _written(name, weights, [*head, f"[models.{_text(name)}.threat.thresholds]", *limits])


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


def _written(name: str, weights: Path, lines: Sequence[str]) -> Path:
    path = weights.with_name(f"{name}.toml")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _text(value: str) -> str:
    """Quote as TOML's basic string: the escapes that JSON has are TOML's too."""
    import msgspec

    return msgspec.json.encode(value).decode()
