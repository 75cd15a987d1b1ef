"""Owns a `dataclass(frozen=True, slots=True)` that is compiled when its first object is made.

The one of the standard library writes and compiles six functions for each class where the class is
defined. For the classes of the contract and of the facts, that took a third of each start, and a
start makes objects of few of them. Knows no class.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

T = TypeVar("T")

_COMPILED = ("__init__", "__repr__", "__eq__", "__hash__")

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool, slots: bool) -> Callable[[type[T]], type[T]]:
        """Make a class a dataclass that is frozen and has slots; pass True for both."""
        if not (frozen and slots):
            raise TypeError("Use the dataclass of the standard library.")
        return _defined


def _defined(cls: Any) -> Any:
    cls.__init__, cls.__setattr__, cls.__delattr__ = _first_init, _refuse, _refuse
    return dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)


def _first_init(self: Any, /, *values: Any, **named: Any) -> None:
    """Give the class the functions that the standard library compiles, then call its `__init__`."""
    cls = self.__class__
    fields = [(each.name, each.type, each) for each in dataclasses.fields(cls)]
    compiled = dataclasses.make_dataclass(cls.__name__, fields, frozen=True)
    for name in _COMPILED:
        setattr(cls, name, vars(compiled)[name])
    cls.__init__(self, *values, **named)


def _refuse(self: Any, name: str, value: object = None) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"{name!r} of a frozen object cannot change")
