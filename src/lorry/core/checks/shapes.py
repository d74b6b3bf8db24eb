"""Learns how the rows of a file are built, so that rows like them can be decoded at once, by types made for them.

A type made here takes a row only if every key, at every depth, is one that was seen and every value of a kind that was
seen there; `keys_in` then tells how many keys such rows have, so that a key given twice shows as one key too many in
the text. Pure; one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lorry.core.checks.jsontext import MAX_DEPTH

_INT64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_EMPTY_LIST = Annotated[list[Any], Meta(max_length=0)]
#: An object with more different keys than this has values for keys: its keys are not learned.
_MAX_KEYS = 64
_SCALARS: dict[type, Any] = {type(None): None, bool: bool, int: _INT64, float: float, str: str}


class OddValueError(Exception):
    """A value that no type describes is nested too deep, or has a number out of bounds."""


class Shape:
    """What values stood at one place of the rows: scalar types, the members of objects, the elements of lists."""

    def __init__(self) -> None:
        self.scalars: set[type] = set()
        self.members: dict[str, Shape] | None = None
        self.element: Shape | None = None
        self.is_list = False
        #: Objects seen here, and how often each member was in them.
        self.objects = 0
        self.seen: dict[str, int] = {}
        self.is_loose = False
        self.struct: Any = None

    def see(self, value: Any) -> bool:
        """Learn from a value; returns whether it was of a new kind."""
        if self.is_loose:
            return False
        if isinstance(value, dict):
            return self._see_object(value)
        if isinstance(value, list):
            is_new = not self.is_list
            self.is_list = True
            for item in value:
                if self.element is None:
                    self.element, is_new = Shape(), True
                is_new = self.element.see(item) or is_new
            return is_new
        kind = type(value)
        is_new = kind not in self.scalars
        self.scalars.add(kind)
        return is_new

    def _see_object(self, value: dict[str, Any]) -> bool:
        is_new = self.members is None
        members = self.members = self.members or {}
        self.objects += 1
        for key, item in value.items():
            shape = members.get(key)
            if shape is None:
                is_new = True
                shape = members[key] = Shape()
                self.seen[key] = 0
            self.seen[key] += 1
            is_new = shape.see(item) or is_new
        # A key that all objects had before becomes optional.
        is_new = is_new or any(self.seen[key] == self.objects - 1 for key in members if key not in value)
        if len(members) > _MAX_KEYS:
            self.is_loose = True
        return is_new

    @property
    def is_object(self) -> bool:
        """Whether only objects stood here."""
        return self.members is not None and not self.scalars and not self.is_list and not self.is_loose

    def has_only(self, *scalars: type) -> bool:
        """Whether only values of these types stood here."""
        return not self.is_loose and self.members is None and not self.is_list and self.scalars <= set(scalars)

    def is_required(self, key: str) -> bool:
        """Whether every object had the member."""
        return self.seen[key] == self.objects

    def make_type(self, depth: int = 1) -> Any:
        """Make the type that takes exactly such values; raises OddValueError if that would let too deep ones in."""
        if self.is_loose and depth > MAX_DEPTH // 2:
            raise OddValueError
        if self.is_loose:
            return Any
        parts = [_SCALARS[scalar] for scalar in sorted(self.scalars, key=str)]
        if self.members is not None:
            fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
            optional: list[tuple[str, Any] | tuple[str, Any, Any]] = []
            for index, (key, shape) in enumerate(self.members.items()):
                made = shape.make_type(depth + 1)
                if self.is_required(key):
                    fields.append((attribute(index), made))
                else:
                    optional.append(
                        (attribute(index), made | UnsetType if made is not None else UnsetType | None, UNSET)
                    )
            names = {attribute(index): key for index, key in enumerate(self.members)}
            self.struct = msgspec.defstruct("Row", [*fields, *optional], rename=names, gc=False)
            parts.append(self.struct)
        if self.is_list:
            parts.append(_EMPTY_LIST if self.element is None else list[self.element.make_type(depth + 1)])  # type: ignore[misc]
        union: Any = parts[0]
        for part in parts[1:]:
            union = union | part
        return union

    def fixed_keys(self) -> int | None:
        """Return how many keys every value here has, if that is always the same number."""
        if self.is_loose or self.is_list:
            return None
        if self.members is None:
            return 0
        if self.scalars:
            return None
        total = 0
        for key, shape in self.members.items():
            inner = shape.fixed_keys()
            if inner is None or not self.is_required(key):
                return None
            total += 1 + inner
        return total

    def make_counter(self) -> Callable[[Sequence[Any]], int]:
        """Make the function that counts the keys of decoded values of this shape."""
        fixed = self.fixed_keys()
        if fixed is not None:
            return lambda values: fixed * len(values)
        if self.is_loose:
            return lambda values: sum(map(_loose_keys, values))
        count_objects = self._object_counter() if self.members is not None else None
        count_elements = self.element.make_counter() if self.element is not None else None
        struct, is_mixed = self.struct, bool(self.scalars) or (self.is_list and self.members is not None)

        def count(values: Sequence[Any]) -> int:
            total = 0
            if count_objects is not None:
                total += count_objects([value for value in values if type(value) is struct] if is_mixed else values)
            if count_elements is not None:
                lists = [value for value in values if type(value) is list] if is_mixed or self.scalars else values
                total += count_elements(list(chain.from_iterable(lists)))
            return total

        return count

    def _object_counter(self) -> Callable[[Sequence[Any]], int]:
        members = self.members or {}
        always = sum(map(self.is_required, members))
        steps: list[tuple[str, bool, Callable[[Sequence[Any]], int] | None]] = []
        for index, (key, shape) in enumerate(members.items()):
            inner = shape.fixed_keys()
            if inner is not None and self.is_required(key):
                always += inner
            elif inner == 0:
                steps.append((attribute(index), True, None))
            else:
                steps.append((attribute(index), not self.is_required(key), shape.make_counter()))

        def count(objects: Sequence[Any]) -> int:
            total = always * len(objects)
            for name, is_optional, count_inner in steps:
                values = [getattr(item, name) for item in objects]
                if is_optional:
                    missing = values.count(UNSET)
                    total += len(values) - missing
                    if missing and count_inner is not None:
                        values = [value for value in values if value is not UNSET]
                if count_inner is not None:
                    total += count_inner(values)
            return total

        return count


def attribute(index: int) -> str:
    """Name the attribute of a made type that has the member of this number."""
    return f"m{index}"


def _loose_keys(value: Any, depth: int = 0) -> int:
    """Count the keys of plain values; raises OddValueError for what F18 and F19 report."""
    if isinstance(value, dict):
        inner, total = list(value.values()), len(value)
    elif isinstance(value, list):
        inner, total = value, 0
    else:
        if type(value) is int and not -(2**63) <= value < 2**63:
            raise OddValueError
        return 0
    # The values around this one, described by types, take the other half of the levels (see `make_type`).
    if depth > MAX_DEPTH // 2:
        raise OddValueError
    return total + sum(_loose_keys(item, depth + 1) for item in inner)
