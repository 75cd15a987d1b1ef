"""What the tests of the documents know of shell commands: which programs and files they may name.

Owns the reading of POSIX and PowerShell blocks. Nothing of them is run but `--help`.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import gettempdir

ROOT = Path(__file__).resolve().parents[1]

PROGRAMS = {
    "cd",
    "codesign",
    "export",
    "git",
    "node",
    "npm",
    "npx",
    "pip",
    "pipx",
    "set",
    "source",
    "tar",
}
"""Programs of others that a block may name without a path."""

PYTHON = re.compile(r"(?:.*[/\\])?(?:python(?:3(?:\.\d+)?)?|py)(?:\.exe)?$")
MADE = ("dist/", ".uv/", ".venv/", "node_modules/", "wheels/", ".env", "My.app/", "cloned/")
"""What a command of the documents makes, so that it is not in the repository."""
MODULES = {"pip", "venv", "uv", "pytest", "build"}
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


def posix_problems(text: str) -> list[str]:
    """What is wrong with a POSIX block: its syntax, a program, a module, an option or a file."""
    bash = shutil.which("bash") or "bash"
    checked = subprocess.run([bash, "-n"], input=text, text=True, capture_output=True, check=False)
    problems = [checked.stderr] if checked.returncode else []
    where = ROOT
    for command in _commands(text.replace("\\\n", " ")):
        while command and ASSIGNMENT.match(command[0]):
            command = command[1:]
        if command[:1] == ["cd"]:
            where = _entered(where, command[1])
            if not where.is_dir():
                problems.append(f"no folder {command[1]}")
        elif command:
            problems += _problems(command, where)
    return problems


def powershell_problems(text: str) -> list[str]:
    """What a POSIX shell would take and PowerShell would not; and the same names as in POSIX."""
    problems = []
    for line in text.splitlines():
        if re.match(r"\s*(export |[A-Za-z_]\w*=\S)", line):
            problems.append(f"sets a variable as POSIX does: {line}")
        if line.endswith("\\") or "&&" in line or " & " in line:
            problems.append(f"a POSIX operator (Windows PowerShell 5 has no &&): {line}")
        if line.count("'") % 2 or line.count('"') % 2:
            problems.append(f"an open quote: {line}")
        if re.match(r"\s*(\$env:\w+ = (['\"]).*\2|\$\w+ = .*|#.*|)$", line):
            continue
        words = [word.strip("'\"") for word in re.findall(r"'[^']*'|\"[^\"]*\"|[^\s;|]+", line)]
        if words[:1] == ["&"]:
            words = words[1:]
        words = [word.replace("\\", "/") if not word.startswith("$") else word for word in words]
        problems += _problems(words, ROOT)
    return problems


def _commands(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;()<>")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in lexer:
            if set(word) <= set("&|;()"):
                yield words
                words = []
            else:
                words.append(word)
        yield words


def _entered(where: Path, folder: str) -> Path:
    """The folder after `cd`: the checkout by its name, and the reader's own app for the rest."""
    if folder.endswith("clara-voice-sidecar"):
        return ROOT
    return Path(gettempdir()) if folder.endswith("your-app") else (where / folder).resolve()


def _problems(command: list[str], where: Path) -> list[str]:
    program, arguments = command[0], command[1:]
    if program in ("clara-voice-sidecar", "dist/sidecar/sidecar", "dist/sidecar/sidecar.exe"):
        return _sidecar_problems(arguments)
    if PYTHON.match(program):
        if arguments[:1] != ["-m"]:
            return [] if arguments and arguments[0].startswith("-") else _missing(arguments, where)
        return _module_problems(arguments[1], arguments[2:], where)
    if program in ("pytest", "pyinstaller"):
        return _missing(arguments, where)
    if program in ("ruff", "mypy", "pre-commit", "uv"):
        return _uv_problems(arguments, where) if program == "uv" else []
    if program == "node":
        return _missing(arguments[:1], where)
    if program in PROGRAMS:
        return []
    if "/" in program and ((where / program).exists() or program.startswith(MADE)):
        return []
    return [f"no program {program!r} is known here"]


def _module_problems(module: str, arguments: list[str], where: Path) -> list[str]:
    if module == "uv":
        return _uv_problems(arguments, where)
    if module == "sidecar":
        return _sidecar_problems(arguments)
    if module == "pytest":
        return _missing(arguments, where)
    if module in MODULES:
        return []
    path = ROOT / module.replace(".", "/")
    found = path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
    return [] if found else [f"no module {module}"]


def _uv_problems(arguments: list[str], where: Path) -> list[str]:
    if arguments[:1] == ["run"]:
        rest = arguments[1:]
        while rest and rest[0].startswith("-"):
            takes_one = rest[0] in ("--python", "--with", "--extra", "--group")
            rest = rest[2:] if takes_one else rest[1:]
        return _problems(rest, where)
    known = {"sync", "build", "lock", "export", "venv", "pip"}
    return [] if arguments and arguments[0] in known else [f"no command uv {arguments}"]


def _sidecar_problems(arguments: list[str]) -> list[str]:
    command = [each for each in arguments[:1] if not each.startswith("-")]
    status, text = _help(*command)
    if status:
        return [f"no command `python -m sidecar {' '.join(command)}`"]
    options = [each.partition("=")[0] for each in arguments if each.startswith("--")]
    return [f"no option {each}" for each in options if each not in text and each != "--help"]


@cache
def _help(*command: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "sidecar", *command, "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    return done.returncode, done.stdout


def _missing(arguments: list[str], where: Path) -> list[str]:
    paths = [each for each in arguments if re.search(r"[/.]", each) and not each.startswith("-")]
    paths = [each.partition("::")[0] for each in paths if not each.startswith(MADE)]
    return [f"no file {each}" for each in paths if not (where / each).exists() and "$" not in each]
