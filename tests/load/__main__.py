"""Runs every benchmark of this folder and writes docs/performance.md; a name after it runs only that one.

`python -m tests.load kill --minutes 10` is no benchmark: processes are killed, then losses are counted.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import tests.load
from tests.load import kill

DOCUMENT = Path("docs/performance.md")
Row = tuple[str, str, str]  #: what was measured, the figure with its unit, the command that measures it


def main() -> None:
    """Without a name all, and the document is written; with names only those, to the terminal."""
    if sys.argv[1:2] == ["kill"]:
        kill.main(sys.argv[2:])
    wanted = [f"bench_{name}" for name in sys.argv[1:]]
    names = [m.name for m in pkgutil.iter_modules(tests.load.__path__) if m.name.startswith("bench_")]
    measured: dict[str, list[Row]] = {}
    for name in wanted or names:
        module = importlib.import_module(f"tests.load.{name}")
        print(f"{name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
        measured[name] = module.run()
        for what, figure, _ in measured[name]:
            print(f"  {what}: {figure}", flush=True)
    if not wanted:
        DOCUMENT.write_text(document(measured), encoding="utf-8")
        print(f"written: {DOCUMENT}")


def document(measured: dict[str, list[Row]]) -> str:
    lines = [
        "# Скорость и память",
        "",
        f"Замерено {datetime.now(UTC):%d.%m.%Y}: {os.cpu_count()} ядра, {platform.machine()}, "
        f"Python {platform.python_version()}. Всё заново: `make bench`; одно: `python -m tests.load ИМЯ`.",
        "Файл пишет программа; править его руками незачем.",
    ]
    for name, rows in measured.items():
        title = (importlib.import_module(f"tests.load.{name}").__doc__ or name).splitlines()[0].rstrip(".")
        lines += ["", f"## {title}", "", "| что | сколько | команда |", "|---|---|---|"]
        lines += [f"| {what} | {figure} | `{command}` |" for what, figure, command in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
