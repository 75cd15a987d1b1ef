"""What no file of this repository says, wherever it was written: hosts, and paths of a machine."""

from __future__ import annotations

import re
from pathlib import Path

from tests.repository import ROOT, repository_files, texts

REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
    )
]
OF_SOMEBODY_S_MACHINE = re.compile(
    r"(?<![\w.])/(?:root|home/(?!me/)\w+|Users/\w+)/|[A-Z]:\\Users\\\w+"
)


def test_no_text_names_a_registry_s_host():
    for where, text in texts():
        for host in REGISTRIES:
            assert host not in text, f"{where} names {host}"


def test_no_text_holds_a_path_of_somebody_s_machine():
    own = [str(each) for each in (ROOT, Path.home()) if len(each.parts) > 2]
    for where, text in texts():
        found = OF_SOMEBODY_S_MACHINE.search(text)
        assert found is None, f"{where}: {found and found.group()}"
        assert not any(path in text for path in own), where


def test_no_lock_file_that_names_hosts_is_in_the_repository():
    names = {path.name for path in repository_files()}
    assert not names & {"uv.lock", "package-lock.json", "pylock.toml", "yarn.lock"}
