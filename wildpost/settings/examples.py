"""The commented example settings that come with Wildpost."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
# A wheel carries the examples inside the package; in a clone they lie beside it.
EXAMPLES = next(folder for place in (_PACKAGE, _PACKAGE.parent) if (folder := place / "configs").is_dir())
