"""The developers' commands: one parser for all of them, and the function that runs each.

Owns their names, options, examples and exit codes. Imports a command's own module, and with it
LiveKit's packages, when the command runs. No frozen build has any of this.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import os
import re
import secrets
import signal
import sys
import warnings
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path

from sidecar.core.config import Settings, from_environment, url_problem
from sidecar.core.contract.protocol import AGENT_IDENTITY_PREFIX
from sidecar.env_files import ENV_FILES, read_env_file

FAILED_STATUS = 1
USAGE_STATUS = 2
"""The exit status for a wrong argument, file or environment variable; argparse uses it too."""
INTERRUPTED_STATUS = 130
"""The exit status after Ctrl-C or SIGTERM before the end of the command, as in a shell."""

NOT_SET_FIX = (
    "start `dev-server --env-file .env` in this folder, or give --env-file or another option "
    "(--help), or set them in the environment or in .env."
)
PROGRAM_FIX = "give --program a voice plug-in's .py file, or a frozen sidecar."

Parser = argparse.ArgumentParser


class WrongUsage(Exception):
    """The command cannot run with these arguments or files; the message has the fix."""


@dataclass(frozen=True)
class Command:
    """One command."""

    summary: str
    example: str
    """Arguments after the command's name."""
    add_options: Callable[[Parser], None]
    run: Callable[[argparse.Namespace], int]
    """Gives the exit status. Raises WrongUsage."""


def overview(program: str) -> str:
    """Give the lines that list the commands in the help of *program*."""
    lines = [f"  {name:<11} {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join([f"Commands (`{program} COMMAND --help`):", *lines, ""])


def main(program: str, typed: str, arguments: Sequence[str]) -> int:
    """Run the command that *arguments* begin with; give the exit status.

    *typed*: the words that a person types for *program*, in the examples.

    1: it failed; 2: the usage was wrong, and nothing was changed; 130: interrupted.
    """
    parser = _parser(program, typed)
    if arguments[0] not in COMMANDS:
        # Repeats the word only if it is like a command's name: any other word may be a secret.
        near = difflib.get_close_matches(arguments[0], COMMANDS, n=1)
        did_you_mean = f"`{arguments[0]}`; did you mean `{near[0]}`?" if near else "of this name;"
        parser.error(f"there is no command {did_you_mean} --help lists all: {', '.join(COMMANDS)}")
    options = _options(parser, arguments)
    warnings.simplefilter("ignore")  # PyJWT warns of LiveKit's short development secret
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a console that cannot print 🎤
    try:
        return COMMANDS[options.command].run(options)
    except WrongUsage as error:
        print(f"{program} {options.command}: {error}", file=sys.stderr)
        return USAGE_STATUS


def _options(parser: Parser, arguments: Sequence[str]) -> argparse.Namespace:
    options, unknown = parser.parse_known_args(_with_negative_values(arguments))
    if unknown:
        # Shows only what can be an option's name: any other word may be a secret.
        name = re.fullmatch(r"--[a-zA-Z][a-zA-Z-]{1,20}", unknown[0].partition("=")[0])
        known = re.findall(r"--[a-z-]+", options.usage)
        near = difflib.get_close_matches(name[0], known, n=1) if name else []
        did_you_mean = f"; did you mean `{near[0]}`?" if near else ";"
        shown = f"unknown option {name[0]}" if name else "unexpected argument"
        options.refuse(f"{shown}{did_you_mean} --help lists all")
    return options


def _with_negative_values(arguments: Sequence[str]) -> list[str]:
    """Write `--for -2s` as `--for=-2s`: argparse takes -2s for an option, and says so of --for."""
    joined: list[str] = []
    for each in arguments:
        if joined and re.fullmatch(r"--[a-z-]+", joined[-1]) and re.match(r"-\d", each):
            joined[-1] += f"={each}"
        else:
            joined.append(each)
    return joined


def _parser(program: str, typed: str) -> Parser:
    parser = Parser(prog=program, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, command in COMMANDS.items():
        one = commands.add_parser(
            name,
            description=f"{command.summary[0].upper()}{command.summary[1:]}.",
            epilog=f"Example:\n  {typed} {name} {command.example}".rstrip(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_options(one)
        one.set_defaults(usage=one.format_usage(), refuse=one.error)
    return parser


# Parts of the command line that several commands have


def _add_connection_options(parser: Parser) -> None:
    parser.add_argument("--url", help="the LiveKit server (default: LIVEKIT_URL)")
    parser.add_argument("--room", help="the room (default: LIVEKIT_ROOM)")
    parser.add_argument(
        "--env-file",
        type=Path,
        metavar="FILE",
        help="read LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET and LIVEKIT_ROOM from this "
        "file first (default: the environment, then .env.local and .env)",
    )


def _settings(options: argparse.Namespace) -> Settings:
    """Merge the layers: options, --env-file, the environment, `.env.local`, `.env`; first wins."""
    given: Path | None = getattr(options, "env_file", None)
    if given is not None and not given.exists():
        raise WrongUsage(f"{given} does not exist. Fix: `dev-server --env-file {given}` writes it.")
    settings = Settings(url=options.url, room=options.room)
    if given is not None:
        settings = settings.over(_from_file(given))
    settings = settings.over(from_environment(os.environ))
    for path in ENV_FILES:
        settings = settings.over(_from_file(path))
    if settings.url is not None and (problem := url_problem(settings.url)) is not None:
        raise WrongUsage(f"LIVEKIT_URL or --url {problem}. Fix: like ws://127.0.0.1:7880.")
    return settings


def _from_file(path: Path) -> Settings:
    file = read_env_file(path)
    if file.problem is not None:
        raise WrongUsage(file.problem)
    for sentence in file.wrong_lines:
        print(sentence, file=sys.stderr)
    return from_environment(file.variables)


def _need(**wanted: str | None) -> None:
    lacking = [name for name, value in wanted.items() if not value]
    if lacking:
        raise WrongUsage(f"{', '.join(lacking)} not set. Fix: {NOT_SET_FIX}")


def _person_name(options: argparse.Namespace) -> str:
    name: str = options.name or f"guest-{secrets.token_hex(2)}"
    if name.startswith(AGENT_IDENTITY_PREFIX):
        raise WrongUsage(
            f"--name must not begin with {AGENT_IDENTITY_PREFIX}: agents do, and would be put "
            "out of the room. Fix: give a person's name."
        )
    return name


def duration_s(text: str) -> float:
    """Read `30s`, `5m`, `1.5h` or `30` (seconds). ArgumentTypeError for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h|)", text.strip())
    if found is None or float(found[1]) == 0:
        raise argparse.ArgumentTypeError("give a time like 30s, 5m or 1h")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError("give a number from 1 to 100")
    return int(text)


def _until_done(work: Coroutine[None, None, int], *, interrupted: int = INTERRUPTED_STATUS) -> int:
    """Run *work*; Ctrl-C, SIGTERM and SIGHUP cancel it, so that it ends everything in order."""

    async def run() -> int:
        running = asyncio.current_task()
        if sys.platform != "win32" and running is not None:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        return await work

    ends_at_once = signal.getsignal(signal.SIGINT)
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # Windows: asyncio then cancels
        return asyncio.run(run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        return interrupted
    finally:
        signal.signal(signal.SIGINT, ends_at_once)


# The commands


def _add_demo_options(parser: Parser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--url",
        help="a LiveKit server that runs already (LIVEKIT_API_KEY and LIVEKIT_API_SECRET from "
        "the environment or .env); without it the demo starts one of its own",
    )
    _add_embedded(where)
    parser.add_argument(
        "--env-file",
        type=Path,
        metavar="FILE",
        help="use the server whose LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET are in "
        "this file; its LIVEKIT_ROOM is left alone",
    )
    parser.add_argument("--room", help="the room's name (default: a new one)")
    parser.add_argument(
        "--keep",
        action="store_true",
        help="leave all running until Ctrl-C, and print a token for a client of your own",
    )
    parser.add_argument(
        "--voice",
        action="store_true",
        help="two people ask an assistant aloud and hear its answers; the first run installs its "
        "speech to text and its voice (280 MB)",
    )
    parser.add_argument(
        "--wav",
        type=Path,
        metavar="FILE",
        help="with --voice: write the first answer to this file (default: answer.wav)",
    )
    parser.add_argument(
        "--program",
        type=Path,
        metavar="FILE",
        help="with --voice: ask this program with a voice plug-in, or this frozen sidecar "
        "(default: docs/examples/assistant/assistant.py)",
    )


def _add_embedded(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--embedded",
        action="store_true",
        help="a test double instead of the server: no download, no build, ready in a second",
    )


def _demo(options: argparse.Namespace) -> int:
    from sidecar.dev import demo

    if options.voice and options.embedded:
        raise WrongUsage("The test double carries no sound. Fix: leave --embedded out.")
    if options.env_file and options.embedded:
        raise WrongUsage("--embedded starts a room of its own. Fix: leave --env-file out.")
    if (options.wav or options.program) and not options.voice:
        raise WrongUsage("--wav and --program belong to --voice. Fix: give --voice too.")
    options.room = options.room or f"demo-{secrets.token_hex(4)}"
    given = None
    if options.url is not None or options.env_file is not None:
        given = _settings(options)
        _need(
            LIVEKIT_URL=given.url,
            LIVEKIT_API_KEY=given.api_key,
            LIVEKIT_API_SECRET=given.api_secret,
        )
    wanted = demo.Options(given, options.room, options.keep, options.embedded)
    if not options.voice:
        return _until_done(demo.main(wanted))
    from sidecar.dev import voice_demo
    from sidecar.dev.person import end_process

    if not voice_demo.ASSISTANT.is_file():
        raise WrongUsage(
            "--voice needs a checkout, which has the assistant. Fix: get the source, and start "
            "`python -m uv run python -m sidecar demo --voice` in it."
        )
    program = (options.program or voice_demo.ASSISTANT).resolve()
    if not program.is_file():
        raise WrongUsage(f"{program} does not exist. Fix: {PROGRAM_FIX}")
    if program.suffix != ".py" and not os.access(program, os.X_OK):
        raise WrongUsage(f"{program} is no program. Fix: {PROGRAM_FIX}")
    if voice_demo.lacks_parts():
        return voice_demo.install_and_run(sys.argv[1:])
    wav = options.wav or Path("answer.wav")
    end_process(_until_done(voice_demo.main(wanted, wav, program)))


def _add_dev_server_options(parser: Parser) -> None:
    _add_embedded(parser)
    parser.add_argument("--room", default="dev", help="the room to name (dev)")
    parser.add_argument(
        "--env-file",
        type=Path,
        metavar="FILE",
        help="write the four LIVEKIT_* lines into this file too; its other lines stay",
    )


def _dev_server(options: argparse.Namespace) -> int:
    from sidecar.dev import dev_server

    wanted = dev_server.Options(options.room, options.embedded, options.env_file)
    return _until_done(dev_server.main(wanted), interrupted=0)


def _add_join_options(parser: Parser) -> None:
    _add_connection_options(parser)
    parser.add_argument(
        "--token", help="join with this token; others on this machine can see it while that runs"
    )
    parser.add_argument("--name", help="the person's identity (default: a new guest)")
    parser.add_argument(
        "--say", metavar="TEXT", help="send TEXT to the room's chat, once per person"
    )
    parser.add_argument(
        "--tone", action="store_true", help="publish a microphone: a tone of 440 Hz"
    )
    parser.add_argument("--count", type=_positive, default=1, help="how many people join (1)")
    parser.add_argument(
        "--for",
        type=duration_s,
        dest="for_s",
        metavar="TIME",
        help="how long they stay: 30s, 5m, 1h (until Ctrl-C). A person without --tone who stays "
        "under 3 s may never be announced by the server",
    )


def _join(options: argparse.Namespace) -> int:
    settings = _settings(options)
    if options.token is None:
        _need(
            LIVEKIT_URL=settings.url,
            LIVEKIT_API_KEY=settings.api_key,
            LIVEKIT_API_SECRET=settings.api_secret,
            LIVEKIT_ROOM=settings.room,
        )
    else:
        _need(LIVEKIT_URL=settings.url)
        if options.count > 1 or options.name or options.room:
            raise WrongUsage(
                "--token is for one person and one room. Fix: leave --count, --name and --room out."
            )
    name = _person_name(options)
    from sidecar.dev import join
    from sidecar.dev.person import end_process

    guests = join.guests(settings, name, options.count, options.token)
    wanted = join.Options(settings.url or "", guests, options.say, options.tone, options.for_s)
    end_process(_until_done(join.main(wanted), interrupted=0))


def _add_token_options(parser: Parser) -> None:
    _add_connection_options(parser)
    parser.add_argument("--name", help="the person's identity (default: a new guest)")
    parser.add_argument("--ttl", type=duration_s, default=6 * 3600.0, help="how long it lasts (6h)")
    parser.add_argument(
        "--decode",
        metavar="TOKEN",
        help="explain this token instead of making one; `-` reads it from stdin",
    )


def _token(options: argparse.Namespace) -> int:
    from sidecar.dev import tokens

    if options.decode is not None:
        token = sys.stdin.readline() if options.decode == "-" else options.decode
        secret = _settings(options).api_secret
        try:
            print(tokens.explained(token.strip(), secret))
        except ValueError as error:
            raise WrongUsage(f"{error} Fix: give the whole token.") from None
        return 0
    settings = _settings(options)
    _need(
        LIVEKIT_API_KEY=settings.api_key,
        LIVEKIT_API_SECRET=settings.api_secret,
        LIVEKIT_ROOM=settings.room,
    )
    print(tokens.person_token(settings, _person_name(options), ttl_s=options.ttl))
    return 0


def _add_diagnose_options(parser: Parser) -> None:
    _add_connection_options(parser)
    parser.add_argument("--json", action="store_true", help="print the answer of the RPC method")
    parser.add_argument(
        "--join",
        action="store_true",
        help="join even with LIVEKIT_TOKEN alone; the server then puts a running agent of the "
        "token's identity out of the room",
    )


def _diagnose(options: argparse.Namespace) -> int:
    from sidecar.dev import diagnose

    checking = diagnose.main(
        _settings(options), as_json=options.json, joins_with_token=options.join
    )
    return _until_done(checking)


COMMANDS = {
    "demo": Command(
        "run everything on this machine: a LiveKit server, this sidecar, two people",
        "--embedded",
        _add_demo_options,
        _demo,
    ),
    "dev-server": Command(
        "run a LiveKit server for your own app, until Ctrl-C",
        "--env-file .env",
        _add_dev_server_options,
        _dev_server,
    ),
    "join": Command(
        "join a room as a test person, and print the events of the room",
        "--name anna --say hello --for 30s",
        _add_join_options,
        _join,
    ),
    "token": Command(
        "make an access token for a person, or explain one",
        "--name anna --ttl 1h",
        _add_token_options,
        _token,
    ),
    "diagnose": Command(
        "look for what keeps an agent out of the room; exit code 0 or 1",
        "--json",
        _add_diagnose_options,
        _diagnose,
    ),
}
