"""The house rules that a machine can hold: who may import what, how long a module may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SUBJECTS = {
    "notes",
    "cohort",
    "labels",
    "annotations",
    "summaries",
    "exploration",
    "embeddings",
    "entities",
    "risk",
    "prediction",
    "serving",
}
LOWER = {
    "statistics",
    "study",
    "storage",
    "settings",
    "progress",
    "privacy",
    "processor",
}  # known by all, know nobody above
MODULES = sorted(p for folder in ("clinical_assets", "resources", "sensors") for p in (ROOT / folder).rglob("*.py")) + [
    ROOT / "definitions.py"
]


def imports_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module}
    return found


def is_dagster_room(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return (
        parts[0] in {"definitions.py", "sensors", "resources"}
        or path.name in {"assets.py", "checks.py"}
        or parts[:2] == ("clinical_assets", "cli")
    )


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_module_keeps_its_place(path: Path) -> None:
    parts, imported = path.relative_to(ROOT).with_suffix("").parts, imports_of(path)
    if not is_dagster_room(path):
        assert not [name for name in imported if name.split(".")[0].startswith("dagster")], (
            "Dagster belongs in assets, checks, resources, sensors"
        )
    if parts[0] == "resources":
        assert not [
            n for n in imported if n.split(".")[0] in {"sensors", "definitions"} or n.endswith((".assets", ".checks"))
        ]
    if parts[0] == "clinical_assets" and parts[1] in SUBJECTS:
        others = SUBJECTS - {parts[1]}
        assert not [n for n in imported if n.split(".")[0] in {"sensors", "definitions"}]
        assert not [
            n
            for n in imported
            for o in others
            if n.startswith(f"clinical_assets.{o}.") and n.endswith((".assets", ".checks"))
        ]
    if parts[0] == "clinical_assets" and parts[1] in LOWER:
        allowed = tuple(f"clinical_assets.{room}" for room in LOWER)
        assert not [n for n in imported if n.startswith("clinical_assets.") and not n.startswith(allowed)]
        assert not [n for n in imported if n.split(".")[0] in {"resources", "sensors", "definitions"}]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_module_says_what_belongs_in_it_and_stays_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "a module docstring says what belongs here"
    assert len(text.splitlines()) <= 400


def test_no_path_of_this_machine_is_named() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    endings = (".py", ".md", ".yaml", ".yml", ".toml", ".sql", ".sh")
    texts = [ROOT / name for name in listed.split("\0") if name.endswith(endings)]
    here = (f"{ROOT}/", f"{Path.home()}/")
    assert [str(p) for p in texts if p.exists() and any(place in p.read_text(encoding="utf-8") for place in here)] == []


def test_definitions_load_in_a_fresh_interpreter_without_heavy_libraries() -> None:
    # The first load may have to parse the dbt project; what is measured by users is every load after that.
    code = "import definitions, sys; print(sorted({'torch', 'transformers', 'great_expectations', 'spacy', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(Path.home())}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "[]"
