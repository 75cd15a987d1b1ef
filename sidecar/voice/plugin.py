"""Owns the base class of plug-ins, their methods on the wire, and the check of a plug-in.

Does not know sessions or threads.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from sidecar.core.contract.errors import InvalidParams
from sidecar.core.contract.protocol import PluginMethod, PluginParam
from sidecar.core.sound import Needs

if TYPE_CHECKING:
    from sidecar.voice.session import Session

F = TypeVar("F", bound=Callable[..., object])

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,63}")
_MARK = "_clara_method"
SESSION_ID = "sessionId"


class Voice:
    """Hears and answers one person. The sidecar makes one object for each session.

    All objects live on one thread with one asyncio loop. Code that blocks it delays the sound of
    all sessions: give such work to `asyncio.to_thread`.
    """

    name: ClassVar[str] = "voice"
    """The name of the plug-in on the wire: its methods are `{name}.{method}`."""
    needs: ClassVar[Needs] = Needs.NOTHING
    """What the plug-in needs in the room: `Needs.HEAR | Needs.SPEAK | Needs.TEXT`."""

    async def run(self, session: Session) -> None:
        """Serve *session* from its creation on; cancelled when it closes.

        An exception is logged and told to the app as the event `failed`; the session goes on.
        """
        raise NotImplementedError


def method(function: F) -> F:
    """Make a method of a Voice callable by the app, as `{name}.{method}`.

    The app passes `sessionId` and the params by their names in Python. The result must be JSON.
    The method may be async. It runs on the plug-ins' thread.
    """
    setattr(function, _MARK, True)
    return function


@dataclass(frozen=True, slots=True)
class Callee:
    """One method of a plug-in: how it is called."""

    attribute: str
    """The method's name in Python."""
    kinds: Mapping[str, object]
    """The annotation of each param, by its name; `object` without one."""
    described: PluginMethod

    @property
    def name(self) -> str:
        """Return the name on the wire, `{plug-in}.{method}`."""
        return self.described.name

    def checked(self, given: Mapping[str, object]) -> dict[str, object]:
        """Check the params of a call; return them for the Python method.

        Raises:
            InvalidParams: a param is missing, unknown or of another type; the message names it.
        """
        for name in given:
            if name not in self.kinds:
                listed = ", ".join((SESSION_ID, *self.kinds))
                raise _refusal(f" has an unknown member {name[:40]!r}; it takes {listed}")
        for each in self.described.params:
            if each.name not in given and each.is_required:
                raise _refusal(f" lacks the member {each.name}")
            kind = self.kinds[each.name]
            if each.name in given and not _fits(given[each.name], kind):
                raise _refusal(f".{each.name} must be {_words(kind)}")
        return dict(given)


def methods_of(voice: type[Voice]) -> dict[str, Callee]:
    """Return the methods that the app may call, by their full names."""
    found = {}
    for attribute in dir(voice):
        function = inspect.getattr_static(voice, attribute)
        if getattr(function, _MARK, False):
            each = _described(voice.name, attribute, function)
            found[each.name] = each
    return found


def check_plugin(voice: object) -> type[Voice]:
    """Return *voice* if it is a plug-in's class.

    Raises:
        TypeError: it is not; the message names cause and fix.
    """
    if not (isinstance(voice, type) and issubclass(voice, Voice)):
        raise TypeError(f"{voice!r} is not a class derived from sidecar.voice.Voice; pass one.")
    if not inspect.iscoroutinefunction(voice.run) or voice.run is Voice.run:
        raise TypeError(f"{voice.__name__} has no `async def run(self, session)`; define it.")
    if not isinstance(voice.name, str) or not _NAME.fullmatch(voice.name):
        raise TypeError(
            f"{voice.__name__}.name is {voice.name!r}; begin with a letter, and use letters,"
            " digits, `-` and `_`, at most 64."
        )
    if not isinstance(voice.needs, Needs):
        raise TypeError(f"{voice.__name__}.needs is no Needs; write like Needs.HEAR | Needs.SPEAK.")
    methods_of(voice)
    return voice


def _schema(kind: object) -> Mapping[str, object]:
    """Return the JSON Schema of an annotation; `{}`, which allows anything, for unknown ones."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return {"anyOf": [dict(_schema(each)) for each in get_args(kind)]}
    if origin is Literal:
        return {"enum": list(get_args(kind))}
    name = _JSON_TYPES.get(typing.cast(Any, origin or kind), ("", ""))[0]
    return {"type": name} if name else {}


_JSON_TYPES: dict[object, tuple[str, str]] = {
    str: ("string", "a string"),
    int: ("integer", "a whole number"),
    float: ("number", "a number"),
    bool: ("boolean", "true or false"),
    list: ("array", "an array"),
    Sequence: ("array", "an array"),
    dict: ("object", "an object"),
    Mapping: ("object", "an object"),
    type(None): ("null", "null"),
}
_ACCEPTED: dict[object, tuple[type, ...]] = {
    str: (str,),
    int: (int,),
    float: (int, float),
    bool: (bool,),
    list: (list,),
    Sequence: (list,),
    dict: (dict,),
    Mapping: (dict,),
    type(None): (type(None),),
}


def _described(plugin: str, attribute: str, function: object) -> Callee:
    if not inspect.isfunction(function):
        raise TypeError(f"@method belongs on a plain method, not on {attribute}.")
    hints = typing.get_type_hints(function)
    params, kinds = [], {}
    for each in list(inspect.signature(function).parameters.values())[1:]:
        if each.kind in (each.POSITIONAL_ONLY, each.VAR_POSITIONAL, each.VAR_KEYWORD):
            raise TypeError(f"{attribute} takes {each}; a method's params are passed by name.")
        if each.name == SESSION_ID:
            raise TypeError(f"{attribute} takes {SESSION_ID}, which the sidecar uses itself.")
        kind = kinds[each.name] = hints.get(each.name, object)
        params.append(PluginParam(each.name, each.default is each.empty, _schema(kind)))
    summary = (inspect.getdoc(function) or attribute).splitlines()[0]
    described = PluginMethod(f"{plugin}.{attribute}", summary, tuple(params))
    return Callee(attribute, kinds, described)


def _fits(value: object, kind: object) -> bool:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return any(_fits(value, each) for each in get_args(kind))
    if origin is Literal:
        return any(value == each and type(value) is type(each) for each in get_args(kind))
    accepted = _ACCEPTED.get(origin or kind)
    if accepted is None:
        return True
    return isinstance(value, accepted) and (not isinstance(value, bool) or bool in accepted)


def _words(kind: object) -> str:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(_words(each) for each in get_args(kind))
    if origin is Literal:
        return " or ".join(repr(each) for each in get_args(kind))
    return _JSON_TYPES[origin or kind][1]


def _refusal(problem: str) -> InvalidParams:
    return InvalidParams(
        f"Invalid params: params{problem}.",
        "Correct the params; rpc.discover describes every method.",
    )
