"""SidecarClient against a scripted child: what it takes, gives, keeps and leaves behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from sidecar.dev.child import ChildGone
from sidecar.dev.stdio_client import RpcError, SidecarClient

CHILD = [sys.executable, str(Path(__file__).with_name("scripted_child.py"))]


async def test_a_result_comes_back_to_its_own_request():
    async with SidecarClient(CHILD) as child:
        assert await child.call("echo", {"a": "ä 🎤"}) == {"a": "ä 🎤"}
        assert await child.request("echo") is None


async def test_an_error_answer_is_raised_with_code_and_fix():
    async with SidecarClient(CHILD) as child:
        with pytest.raises(RpcError, match="unknown session") as failure:
            await child.request("fail")
    assert (failure.value.code, failure.value.data) == (1003, {"fix": "list them"})


async def test_notifications_are_kept_in_order_in_the_list_and_the_queue():
    async with SidecarClient(CHILD) as child:
        await child.request("tell")
        second = await child.notified("told", lambda params: params["seq"] == 2)
        assert [n.params["seq"] for n in child.notifications] == [1, 2]
        assert (await child.queue.get()).params == {"seq": 1}
        assert await child.queue.get() is second
        before = len(child.notifications)
        with pytest.raises(TimeoutError, match="no told in"):
            await child.notified("told", since=before, timeout_s=0.05)


async def test_what_is_neither_answer_nor_notification_is_kept_as_a_stray():
    async with SidecarClient(CHILD) as child:
        await child.request("stray")
        assert [line[:8] for line in child.strays] == [b"not json", b'{"jsonrp']


async def test_a_request_that_is_not_answered_ends_at_its_deadline():
    async with SidecarClient(CHILD) as child:
        with pytest.raises(TimeoutError, match="no answer to silence"):
            await child.request("silence", timeout_s=0.05)


async def test_the_childs_death_fails_what_waits_and_tells_its_last_words():
    async with SidecarClient(CHILD) as child:
        with pytest.raises(ChildGone):
            await child.request("die")
        assert await child.wait() == 7
        with pytest.raises(ChildGone, match="last words"):
            await child.notified("told")
        with pytest.raises(ChildGone):
            await child.request("echo")


async def test_stderr_is_read_as_lines_of_utf_8():
    async with SidecarClient(CHILD) as child:
        assert await child.logged("ready") == "scripted child: ready 🎤"


@pytest.mark.full
async def test_a_child_that_ignores_every_request_to_end_is_killed():
    child = SidecarClient([*CHILD, "stubborn"])
    async with child:
        await child.logged("ready")
        pid = child.pid
    assert child.returncode == -9
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_frozen_child_answers_nothing_until_it_is_thawed():
    async with SidecarClient(CHILD) as child:
        await child.logged("ready")
        for _ in range(2):
            child.freeze()
            with pytest.raises(TimeoutError):
                await child.request("echo", timeout_s=0.2)
            child.thaw()
            assert await child.call("echo", {"a": 1}) == {"a": 1}


async def test_no_livekit_variable_reaches_the_child(monkeypatch):
    monkeypatch.setenv("LIVEKIT_API_SECRET", "secret")
    program = "import os; print([n for n in os.environ if 'LIVEKIT' in n])"
    async with SidecarClient([sys.executable, "-c", program]) as child:
        await child.wait()
    assert list(child.strays) == [b"[]\n"]
