"""Owns the reading of `.env` files, with python-dotenv. The frozen build reads none.

Does not know the meaning of the variables.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import parse_stream

ENV_FILES = (Path(".env.local"), Path(".env"))
"""The files to read in the working directory. A value in the first file wins."""


@dataclass(frozen=True, slots=True)
class EnvFile:
    """The content of one `.env` file."""

    variables: Mapping[str, str]
    problem: str | None = None
    """Why the file could not be read, with the fix. None when it was read or does not exist."""
    wrong_lines: tuple[str, ...] = ()
    """One sentence for each line that sets no variable. It names the file and the line number."""


def read_env_file(path: Path) -> EnvFile:
    """Read the file at *path*. Never raises: check `problem` and `wrong_lines` of the result.

    A file that does not exist sets no variables. `$NAME` in a value stays as written, since a
    secret may contain it. The sentences about a file never repeat its text, which may be a secret.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return EnvFile({})
    except IsADirectoryError:
        return EnvFile({}, f"{path} is a folder. Fix: make it a file of NAME=value lines.")
    except OSError as error:
        return EnvFile({}, f"{path} cannot be read ({error.strerror}). Fix: correct its rights.")
    except UnicodeDecodeError:
        return EnvFile(
            {},
            f"{path} is not UTF-8. Fix: save it as UTF-8 (`>` in Windows PowerShell writes UTF-16"
            " instead).",
        )
    variables: dict[str, str] = {}
    wrong_lines: list[str] = []
    for binding in parse_stream(io.StringIO(text)):
        if binding.key is not None and binding.value is not None:
            variables[binding.key] = binding.value
        elif binding.error or binding.key is not None:
            # A binding of python-dotenv includes the blank lines before its own line.
            original = binding.original
            line = original.line + _blank_lines_before(original.string)
            wrong_lines.append(f"{path}, line {line} is no NAME=value and is passed over.")
    return EnvFile(variables, None, tuple(wrong_lines))


def _blank_lines_before(text: str) -> int:
    return text[: len(text) - len(text.lstrip())].count("\n")
