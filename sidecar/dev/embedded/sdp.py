"""Session descriptions, as far as one data connection needs them. Pure: text in, text out.

All of an offer's media sections are answered as bundled and inactive, since the double carries no
media. Sources: RFC 8866 (SDP), RFC 8839 (ICE), RFC 8841 (SCTP over DTLS), RFC 9143 (BUNDLE).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MAX_MESSAGE_BYTES = 65_536
"""What aiortc takes; the SDK sends at most 64,000 bytes (rust-sdks rtc_engine/rtc_session.rs)."""
SCTP_PORT = 5000


class BadDescription(ValueError):
    """A session description that cannot be used; the message names the missing part."""


@dataclass(frozen=True)
class Endpoint:
    """One side of the connection: how to reach it and how it proves itself.

    `fingerprint` is (algorithm, value); `setup` is `actpass`, `active` or `passive`.
    """

    ufrag: str
    password: str
    fingerprint: tuple[str, str]
    setup: str
    candidates: tuple[str, ...] = ()
    """As after `a=candidate:`."""
    max_message_bytes: int = MAX_MESSAGE_BYTES


@dataclass(frozen=True)
class Section:
    """One media section: its `m=` line, its mid, and the codec line of its first payload type."""

    media: str
    mid: str
    rtpmap: str | None

    @property
    def is_data(self) -> bool:
        """Whether it is the data channels' section."""
        return self.media.startswith("application ")


@dataclass(frozen=True)
class Description:
    """What the other side described: its endpoint, and its sections in order."""

    endpoint: Endpoint
    sections: tuple[Section, ...]


def read(text: str) -> Description:
    """Read an offer or an answer. Raises BadDescription."""
    session, *media = _split(text)
    sections = tuple(_section(lines) for lines in media)
    if not any(section.is_data for section in sections):
        raise BadDescription("there is no section for data channels")
    # Bundled, so what the first section says of the transport holds for all.
    lines = [*media[0], *session]
    algorithm, _, value = _required(lines, "fingerprint").partition(" ")
    data = media[next(i for i, section in enumerate(sections) if section.is_data)]
    largest = _attribute(data, "max-message-size")
    endpoint = Endpoint(
        _required(lines, "ice-ufrag"),
        _required(lines, "ice-pwd"),
        (algorithm, value),
        _required(lines, "setup"),
        tuple(line.partition(":")[2] for line in media[0] if line.startswith("a=candidate:")),
        int(largest) if largest and largest.isdigit() else MAX_MESSAGE_BYTES,
    )
    return Description(endpoint, sections)


def answer(offer: Description, endpoint: Endpoint, session: int) -> str:
    """Write the answer to *offer*; *session* grows with each description of a connection."""
    lines = [
        "v=0",
        f"o=- 1 {session} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {' '.join(section.mid for section in offer.sections)}",
        "a=msid-semantic: WMS",
    ]
    for section in offer.sections:
        lines += _body(section)
        lines += [
            f"a=mid:{section.mid}",
            f"a=ice-ufrag:{endpoint.ufrag}",
            f"a=ice-pwd:{endpoint.password}",
            f"a=fingerprint:{' '.join(endpoint.fingerprint)}",
            f"a=setup:{endpoint.setup}",
        ]
        lines += [f"a=candidate:{candidate}" for candidate in endpoint.candidates]
    return "".join(f"{line}\r\n" for line in lines)


def _body(section: Section) -> Iterable[str]:
    kind, _, protocol, first, *_ = section.media.split(" ")
    lines = [f"m={kind} 9 {protocol} {first}", "c=IN IP4 0.0.0.0"]
    if section.is_data:
        return [*lines, f"a=sctp-port:{SCTP_PORT}", f"a=max-message-size:{MAX_MESSAGE_BYTES}"]
    codec = [] if section.rtpmap is None else [f"a=rtpmap:{first} {section.rtpmap}"]
    return [*lines, "a=inactive", "a=rtcp-mux", *codec]


def _split(text: str) -> list[list[str]]:
    """Split into the session's lines and the lines of each section."""
    parts: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("m="):
            parts.append([])
        parts[-1].append(line)
    if len(parts) == 1:
        raise BadDescription("there is no media section")
    return parts


def _section(lines: list[str]) -> Section:
    media = lines[0].removeprefix("m=")
    words = media.split(" ")
    if len(words) < 4:
        raise BadDescription(f"the line m={media} is cut short")
    prefix = f"a=rtpmap:{words[3]} "
    codec = next((line.removeprefix(prefix) for line in lines if line.startswith(prefix)), None)
    return Section(media, _required(lines, "mid"), codec)


def _attribute(lines: Iterable[str], name: str) -> str | None:
    prefix = f"a={name}:"
    return next((line.removeprefix(prefix) for line in lines if line.startswith(prefix)), None)


def _required(lines: Iterable[str], name: str) -> str:
    value = _attribute(lines, name)
    if value is None:
        raise BadDescription(f"the attribute {name} is missing")
    return value
