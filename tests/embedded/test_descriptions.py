"""Session descriptions: what is read of an offer, and what is answered."""

from __future__ import annotations

import pytest

from sidecar.dev.embedded import sdp

ENDPOINT = sdp.Endpoint(
    "ours", "our-password", ("sha-256", "AA:BB"), "active", ("1 1 udp 1 127.0.0.1 9 typ host",)
)
TRANSPORT = (
    "a=ice-ufrag:theirs\r\na=ice-pwd:their-password\r\n"
    "a=fingerprint:sha-256 CC:DD\r\na=setup:actpass\r\n"
)
AUDIO = (
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\na=mid:0\r\n"
    + TRANSPORT
    + "a=rtpmap:111 opus/48000/2\r\n"
    "a=candidate:1 1 udp 2 192.0.2.1 4000 typ host\r\n"
)
CHANNELS = (
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n"
    + TRANSPORT
    + "a=max-message-size:262144\r\n"
)
HEAD = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"


def test_an_offer_is_read_for_its_transport_and_its_sections() -> None:
    offer = sdp.read(HEAD + AUDIO + CHANNELS)
    assert (offer.endpoint.ufrag, offer.endpoint.password) == ("theirs", "their-password")
    assert offer.endpoint.fingerprint == ("sha-256", "CC:DD")
    assert offer.endpoint.candidates == ("1 1 udp 2 192.0.2.1 4000 typ host",)
    assert offer.endpoint.max_message_bytes == 262_144
    assert [(each.mid, each.is_data) for each in offer.sections] == [("0", False), ("1", True)]


def test_the_transport_may_stand_before_the_sections() -> None:
    bare = CHANNELS.replace(TRANSPORT, "")
    assert sdp.read(HEAD + TRANSPORT + bare).endpoint.ufrag == "theirs"


def test_an_answer_has_each_section_once_bundled_and_media_inactive() -> None:
    offer = sdp.read(HEAD + AUDIO + CHANNELS)
    answer = sdp.answer(offer, ENDPOINT, 3)
    assert answer.endswith("\r\n")
    lines = answer.splitlines()
    assert "a=group:BUNDLE 0 1" in lines
    assert [line for line in lines if line.startswith("m=")] == [
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    ]
    assert lines.count("a=inactive") == 1
    assert "a=rtpmap:111 opus/48000/2" in lines
    assert lines.count("a=setup:active") == 2
    again = sdp.read(answer)
    assert again.endpoint == sdp.Endpoint(
        "ours", "our-password", ("sha-256", "AA:BB"), "active", ENDPOINT.candidates
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEAD,
        HEAD + AUDIO,
        HEAD + CHANNELS.replace("a=ice-ufrag:theirs\r\n", ""),
        HEAD + CHANNELS.replace("a=fingerprint:sha-256 CC:DD\r\n", ""),
        HEAD + CHANNELS.replace("a=mid:1\r\n", ""),
        HEAD + "m=application\r\n",
    ],
    ids=["nothing", "no section", "no channels", "no ufrag", "no fingerprint", "no mid", "cut"],
)
def test_what_cannot_be_used_is_a_bad_description(text: str) -> None:
    with pytest.raises(sdp.BadDescription):
        sdp.read(text)
