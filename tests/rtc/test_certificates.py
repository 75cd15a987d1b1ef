"""Where the frozen sidecar finds the certificates that the system trusts."""

from __future__ import annotations

import pytest

from sidecar.rtc.certificates import use_those_of_the_system


@pytest.fixture
def without(monkeypatch, tmp_path):
    """OpenSSL's own places, none of which is there: as on a Fedora, for a build of Debian."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))


@pytest.fixture
def bundles(tmp_path):
    here = tmp_path / "ca-bundle.crt"
    here.write_bytes(b"")
    return [str(tmp_path / "elsewhere.crt"), str(here), str(tmp_path / "later.pem")]


def test_the_first_bundle_that_is_there_is_used_where_openssl_finds_none(without, bundles):
    environment = {}
    use_those_of_the_system(environment, bundles)
    assert environment == {"SSL_CERT_FILE": bundles[1]}


def test_without_any_bundle_nothing_changes(without, bundles):
    environment = {}
    use_those_of_the_system(environment, bundles[:1])
    assert environment == {}


def test_what_openssl_finds_by_itself_is_stronger(monkeypatch, bundles):
    monkeypatch.setenv("SSL_CERT_FILE", bundles[1])
    environment = {}
    use_those_of_the_system(environment, bundles)
    assert environment == {}
