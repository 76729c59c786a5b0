"""Location of the commented example settings that Wildpost ships."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
# A wheel contains the examples inside the package; in a clone they are beside it.
EXAMPLES = next(folder for place in (_PACKAGE, _PACKAGE.parent) if (folder := place / "configs").is_dir())
