"""The Python package: what its wheel and its source distribution hold, and that the wheel works."""

from __future__ import annotations

import email
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import pytest

from sidecar import __version__
from sidecar.dev.toolchain import uv_command
from tests.repository import repository_files
from tests.started import client, run

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
INSTALL_TIMEOUT_S = 300.0
"""From uv's cache it takes 2 s; without it 160 MB are downloaded."""


def uv(*arguments: str) -> None:
    """Run uv, from what its cache holds where that is enough."""
    done: subprocess.CompletedProcess[str] | None = None
    for offline in (["--offline"], []):
        done = subprocess.run(
            [*uv_command(), *offline, *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
            check=False,
        )
        if done.returncode == 0:
            return
    assert done is not None
    pytest.fail(f"uv {' '.join(arguments)} failed:\n{done.stderr}")


@dataclass(frozen=True)
class Built:
    """The two files that `uv build` makes."""

    wheel: Path
    source: Path

    def wheel_names(self) -> set[str]:
        """Give the paths in the wheel."""
        with zipfile.ZipFile(self.wheel) as archive:
            return set(archive.namelist())

    def source_names(self) -> set[str]:
        """Give the paths of the files in the source distribution, from its own folder on."""
        with tarfile.open(self.source) as archive:
            files = [each.name for each in archive.getmembers() if each.isfile()]
        return {name.partition("/")[2] for name in files}

    def metadata(self) -> Message:
        """Give the wheel's own account of itself."""
        with zipfile.ZipFile(self.wheel) as archive:
            name = next(each for each in archive.namelist() if each.endswith("/METADATA"))
            return email.message_from_bytes(archive.read(name))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build both, the wheel out of the source distribution."""
    folder = tmp_path_factory.mktemp("built")
    uv("build", "--quiet", "--out-dir", str(folder))
    return Built(next(folder.glob("*.whl")), next(folder.glob("*.tar.gz")))


class CleanEnvironment:
    """A Python environment that holds nothing but what is installed into it."""

    def __init__(self, folder: Path) -> None:
        """Make the environment in *folder*."""
        uv("venv", "--quiet", "--python", sys.executable, str(folder))
        self._folder = folder
        self._scripts = folder / ("Scripts" if sys.platform == "win32" else "bin")

    def install(self, wheel: Path, extra: str = "") -> None:
        """Install *wheel*, and the packages it needs in the versions that pyproject.toml pins."""
        pins = self._folder / "pins.txt"
        pins.write_text("\n".join(PROJECT["tool"]["uv"]["constraint-dependencies"]))
        python = self._scripts / ("python.exe" if sys.platform == "win32" else "python")
        wanted = f"{wheel}{extra}"
        uv("pip", "install", "--quiet", "--python", str(python), "-c", str(pins), wanted)

    @property
    def program(self) -> str:
        """The installed command."""
        found = shutil.which("clara-voice-sidecar", path=str(self._scripts))
        assert found is not None, "the wheel installs no clara-voice-sidecar"
        return found


@pytest.fixture(scope="module")
def plain(built: Built, tmp_path_factory: pytest.TempPathFactory) -> CleanEnvironment:
    """The wheel installed without an extra."""
    environment = CleanEnvironment(tmp_path_factory.mktemp("plain") / "venv")
    environment.install(built.wheel)
    return environment


def test_the_installed_command_tells_its_version(plain):
    done = run([plain.program, "--version"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"clara-voice-sidecar {__version__}\n"


def test_the_installed_command_passes_its_self_test(plain):
    done = run([plain.program, "--self-test"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("self-test: ok\n")


async def test_the_installed_command_answers_ping(plain):
    async with client([plain.program, "--wait"]) as sidecar:
        assert await sidecar.request("ping") == "pong"
    assert sidecar.returncode == 0


def test_without_the_extra_the_demo_names_it(plain):
    done = run([plain.program, "demo", "--embedded"])
    assert done.returncode == 1
    assert 'pip install ".[demo]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_with_the_extra_the_demo_runs(built, tmp_path):
    environment = CleanEnvironment(tmp_path / "venv")
    environment.install(built.wheel, "[demo]")
    done = run([environment.program, "demo", "--embedded"], cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The promise held: 2 people" in done.stdout


def test_the_wheel_holds_the_sidecar_its_types_and_its_license_alone(built):
    names = built.wheel_names()
    assert {"sidecar/cli.py", "sidecar/py.typed", "sidecar/dev/demo.py"} <= names
    assert [name for name in names if "dev/release" in name] == []
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"sidecar", f"clara_voice_sidecar-{__version__}.dist-info"}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_source_distribution_holds_the_whole_repository_and_no_more(built):
    of_the_build = {"PKG-INFO", "pyproject.toml.orig"}
    assert built.source_names() - of_the_build == {
        path.relative_to(ROOT).as_posix() for path in repository_files()
    }


def test_every_python_that_is_allowed_is_named_by_a_classifier(built):
    lowest, highest = 11, 14
    metadata = built.metadata()
    assert metadata["Requires-Python"] == f">=3.{lowest}, <3.{highest + 1}"
    named = [f"Programming Language :: Python :: 3.{n}" for n in range(lowest, highest + 1)]
    assert set(named) <= set(metadata.get_all("Classifier", []))


def test_the_wheel_asks_for_every_package_that_the_sidecar_imports(built):
    """jsonrpcserver needs typing-extensions through OSlash, which names no version of it."""
    asked = [each.split(";")[0] for each in built.metadata().get_all("Requires-Dist", [])]
    names = {each.split("==")[0].split(">=")[0].strip() for each in asked}
    runtime = {"livekit", "livekit-api", "jsonrpcserver", "orjson"}
    assert names == runtime | {
        "aiortc",
        "certifi",
        "python-dotenv",
        "truststore",
        "typing-extensions",
    }
