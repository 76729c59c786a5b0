"""The programs that benchmarks run in processes of their own import names that exist."""

import ast
from importlib import import_module
from types import ModuleType

import pytest

from bench import sound, vision

OURS = ("captures", "contract", "models")


@pytest.mark.parametrize("module", [sound, vision], ids=lambda module: str(module.__name__))
def test_the_scripts_of_a_benchmark_import_names_that_exist(module: ModuleType) -> None:
    scripts = [text for text in vars(module).values() if isinstance(text, str) and "sys.argv[" in text]
    imports = [
        (node.module, name.name)
        for script in scripts
        for node in ast.walk(ast.parse(script))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in OURS
        for name in node.names
    ]
    assert len(imports) > 2
    for package, name in imports:
        assert hasattr(import_module(package), name), f"{package} has no {name}"
