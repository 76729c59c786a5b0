"""Charts of the pages, drawn by the server as SVG: no script, printable, small."""
