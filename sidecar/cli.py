"""Owns the command line: reads the arguments, merges the configuration, and sets exit codes.

Imports no large module before it has claimed fds 0 and 1. Does not know how the parts work.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gc
import os
import re
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sidecar import __version__

if TYPE_CHECKING:
    from sidecar.core.config import Settings
    from sidecar.logs import LineHandler
    from sidecar.voice.plugin import Voice

USAGE_STATUS = 2
"""The exit status for a wrong argument or environment variable; argparse uses it too."""

INSTALLED_PROGRAM = "clara-voice-sidecar"
"""The name of the command that the Python package installs."""

HELP_COLUMNS = 78
"""The width of the help in a terminal of 80 columns, which argparse takes if it knows none."""

EPILOG = """\
Configuration, strongest first: the params of `connect`, the options above, the environment
(LIVEKIT_URL, LIVEKIT_API_KEY with LIVEKIT_API_SECRET or LIVEKIT_TOKEN, LIVEKIT_ROOM), and
.env.local and .env in the working directory (not in a frozen build). There are no options for
secrets: other users of the machine could read them.

Speaks JSON-RPC 2.0, one message a line, on stdin and stdout; logs go to stderr. Try it by hand:
  {"jsonrpc":"2.0","id":1,"method":"getStatus"}
It ends when stdin ends. Exit codes: 0 asked to end, 1 failed, 2 wrong usage, 70 panic or hang.
"""


def main(arguments: Sequence[str] | None = None, *, voice: type[Voice] | None = None) -> int:
    """Run the command line; return the exit code. Serving ends the process and never returns.

    *arguments* do not include the program's name. None means the arguments of the process; the
    installed `clara-voice-sidecar` calls `main` in this way. *voice* is the voice plug-in.

    Raises:
        TypeError: *voice* is no plug-in.
    """
    if voice is not None:
        from sidecar.voice.plugin import check_plugin

        check_plugin(voice)
    arguments = sys.argv[1:] if arguments is None else arguments
    is_frozen = getattr(sys, "frozen", False)
    program = _program(is_frozen)
    try:
        return _run(program, arguments, is_frozen, voice)
    except ModuleNotFoundError as error:
        if is_frozen or error.name is None or error.name.partition(".")[0] == "sidecar":
            raise
        start = _typed(program)
        fix = f"start it with `{start}`" if start != program else "install it again with pip"
        if sys.stderr is not None:
            sys.stderr.write(f"sidecar: Python has no module {error.name}. Fix: {fix}.\n")
        return 1


def _typed(program: str) -> str:
    """Return the words to type for *program*: in a checkout, uv gives it its packages."""
    checkout = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    has_uv = program.startswith("python ") and os.path.exists(os.path.join(checkout, "uv.lock"))
    return f"python -m uv run {program}" if has_uv else program


def _run(program: str, arguments: Sequence[str], is_frozen: bool, voice: type[Voice] | None) -> int:
    if arguments and not arguments[0].startswith("-") and not is_frozen:
        return _run_command(program, arguments)
    options = _options(_parser(program, is_frozen), arguments)
    if options.self_test:
        from sidecar.self_test import run_self_test

        return run_self_test()
    return _serve(options, is_frozen, voice)


def _serve(options: argparse.Namespace, is_frozen: bool, voice: type[Voice] | None) -> int:
    gc.disable()  # imports leave hardly any garbage; app.py enables it when all is imported
    # Until the loop handles these signals, the process has nothing to drain.
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: os._exit(0))
    from sidecar.rpc.stdio import claim

    try:
        wire = claim()
    except OSError:
        if sys.stderr is not None:
            sys.stderr.write("sidecar: stdin and stdout must be open: they carry the messages.\n")
        return USAGE_STATUS
    faulthandler.enable(file=2)
    _keep_memory_out_of_core_dumps()
    from sidecar import logs
    from sidecar.core.config import Settings, missing, target, url_problem
    from sidecar.core.contract.errors import InvalidParams
    from sidecar.redaction import Redactor

    redactor = Redactor()
    handler = logs.set_up(options.log_level, options.log_format, redactor)
    if (named := getattr(options, "voice", None)) is not None:
        try:
            voice = _plugin(named)
        except (ImportError, AttributeError, TypeError) as error:
            return _refuse(handler, f"--voice {named} cannot be used: {error}")
    settings = Settings() if options.wait else _settings(options, is_frozen)
    redactor.protect(settings.secrets)
    lacking = missing(settings)
    if settings.url is not None and (problem := url_problem(settings.url)) is not None:
        return _refuse(handler, f"LIVEKIT_URL or --url {problem}, like wss://my.livekit.cloud.")
    if not lacking:
        try:
            resolved = target(settings)
        except InvalidParams as error:
            return _refuse(handler, f"{error.message} {error.data['fix']}")
        if resolved.token is not None and resolved.claims is None:
            return _refuse(handler, "LIVEKIT_TOKEN is not an access token; set the whole token.")
    _say_what_happens(options, lacking)
    from sidecar.app import Start, run

    connects = not options.wait and not lacking
    run(Start(wire, handler, redactor, settings, connects, voice, options.session_warning * 60.0))


def _plugin(named: str) -> type[Voice]:
    """Import the plug-in `module:Class`.

    Raises:
        ImportError, AttributeError: there is no such module or class.
        TypeError: it is no plug-in; the message names the fix.
    """
    import importlib

    from sidecar.voice.plugin import check_plugin

    module, colon, name = named.partition(":")
    if not (module and colon and name):
        raise TypeError("write it as module:Class, like my_voice:Echo")
    sys.path.insert(0, "")  # the installed command does not look into the working directory
    return check_plugin(getattr(importlib.import_module(module), name))


def _keep_memory_out_of_core_dumps() -> None:
    """A core dump would hold the API secret. The log has the stacks of a crash (faulthandler)."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # Programs that collect dumps get one in spite of the limit: core(5). It has no memory then.
        with contextlib.suppress(OSError), open("/proc/self/coredump_filter", "w") as filtered:
            filtered.write("0")


def _say_what_happens(options: argparse.Namespace, lacking: Sequence[str]) -> None:
    import logging

    log = logging.getLogger("sidecar.cli")
    if options.wait:
        log.debug("Waiting for `connect`.")
    elif lacking:
        log.info("Not configured: %s not set. Waiting for `connect` on stdin.", ", ".join(lacking))


def _settings(options: argparse.Namespace, is_frozen: bool) -> Settings:
    from sidecar.core.config import Settings, from_environment

    given = Settings(
        url=options.url,
        room=options.room,
        identity=options.identity,
        name=options.name,
        auto_subscribe=True if options.auto_subscribe else None,
    )
    settings = given.over(from_environment(os.environ))
    if is_frozen:
        return settings
    import logging

    from sidecar.env_files import ENV_FILES, read_env_file

    log = logging.getLogger("sidecar.cli")
    for path in ENV_FILES:
        file = read_env_file(path)
        if file.problem is not None:
            log.error("%s", file.problem)
        for sentence in file.wrong_lines:
            log.warning("%s", sentence)
        settings = settings.over(from_environment(file.variables))
    return settings


def _refuse(handler: LineHandler, sentence: str) -> int:
    import logging

    logging.getLogger("sidecar.cli").error(sentence)
    handler.finish(1.0)
    return USAGE_STATUS


def _program(is_frozen: bool) -> str:
    """Return the words that started this program, for its messages."""
    if is_frozen:
        return "sidecar"
    name, _ = os.path.splitext(os.path.basename(sys.argv[0]))
    return INSTALLED_PROGRAM if name == INSTALLED_PROGRAM else "python -m sidecar"


def _commands() -> Any:
    """Import the developers' commands. Do not call it in a frozen build, which lacks them."""
    import importlib

    return importlib.import_module("sidecar.dev.commands")


def _run_command(program: str, arguments: Sequence[str]) -> int:
    # Until the command runs a loop, nothing runs that Ctrl-C would have to end. An exception could
    # get lost in a module that loads.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    return int(_commands().main(program, _typed(program), list(arguments)))


class _Help(argparse.RawDescriptionHelpFormatter):
    """Has a fixed width. To find the terminal's, argparse imports shutil at each start."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=HELP_COLUMNS)


class _ParserWithCommands(argparse.ArgumentParser):
    """Lists the developers' commands in the help. Only the help imports them, not each start."""

    def format_help(self) -> str:
        """Return the help with the developers' commands at its end."""
        self.epilog = f"{EPILOG}\n{_commands().overview(_typed(self.prog))}"
        return super().format_help()


def _parser(program: str, is_frozen: bool) -> argparse.ArgumentParser:
    parser = (argparse.ArgumentParser if is_frozen else _ParserWithCommands)(
        prog=program,
        description="Joins a LiveKit room as an agent and reports a session for each person in it.",
        epilog=EPILOG,
        formatter_class=_Help,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--url", help="the LiveKit server, like wss://my.livekit.cloud or ws://127.0.0.1:7880")
    add("--room", help="the room to join")
    add("--identity", help="the agent's identity (default: clara-voice-agent)")
    add("--name", help="the agent's display name (default: Clara)")
    add("--auto-subscribe", action="store_true", help="subscribe to all tracks")
    if not is_frozen:  # a frozen program has its plug-in in it, and loads none at run time
        add("--voice", metavar="MODULE:CLASS", help="the voice plug-in, like my_voice:Echo")
    add(
        "--session-warning",
        type=_minutes,
        default=30.0,
        metavar="MINUTES",
        help="warn of a session over so many minutes (30), with a voice plug-in",
    )
    add("--wait", action="store_true", help="ignore all configuration; wait for `connect`")
    levels = ("debug", "info", "warning", "error", "critical")
    add("--log-level", choices=levels, default="info", help="the least severe level to log (info)")
    add(
        "--log-format", choices=("text", "json"), default="text", help="the format of stderr (text)"
    )
    add("--self-test", action="store_true", help="check that this build works, then end")
    add("--version", action="version", version=f"clara-voice-sidecar {__version__}")
    return parser


def _minutes(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (minutes := float(text)) < float("inf"):
            return minutes
    raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number of minutes above 0, such as 30")


def _options(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        # Shows only the option's name: its value may be a secret.
        name = re.match(r"(?:--[a-zA-Z][a-zA-Z-]{1,20}(?==|$))|-[a-z]", unknown[0])
        shown = f"unknown option {name[0]}" if name else "unexpected argument"
        parser.error(f"{shown}; secrets are set in the environment, and --help lists the rest")
    return options
