"""Owns the reading of `.env` files, by python-dotenv; not in the frozen build, which reads none.

Does not know what the variables mean.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import parse_stream

ENV_FILES = (Path(".env.local"), Path(".env"))
"""The files of the working directory, the stronger one first."""


@dataclass(frozen=True, slots=True)
class EnvFile:
    """What one file says."""

    variables: Mapping[str, str]
    problem: str | None = None
    """Why the file could not be read, with the fix; None where it was, or is not there."""
    wrong_lines: tuple[str, ...] = ()
    """A sentence for each line that sets no variable; it names the file and the line."""


def read_env_file(path: Path) -> EnvFile:
    """Read the file at *path*; a file that is not there says nothing.

    Values are taken literally: `$NAME` in a secret is no reference to a variable. The sentences
    about a file repeat none of its text, since that may be a secret.
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
            # A binding begins with the blank lines before it.
            original = binding.original
            line = original.line + _blank_lines_before(original.string)
            wrong_lines.append(f"{path}, line {line} is no NAME=value and is passed over.")
    return EnvFile(variables, None, tuple(wrong_lines))


def _blank_lines_before(text: str) -> int:
    return text[: len(text) - len(text.lstrip())].count("\n")
