"""Text cells of CSV files that spreadsheet programs open."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs a cell that begins so (OWASP, "CSV Injection")


def without_formula(cell: str) -> str:
    """Return a text with an apostrophe before it if a spreadsheet program would run it as a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
