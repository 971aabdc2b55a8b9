"""The text of a declared value: the same in every process, different for different values, and always readable."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import functools
import math
import os
import re
import subprocess
import sys
import types
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest
from django.utils.functional import SimpleLazyObject
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, override
from hypothesis import given
from hypothesis import strategies as st

from healthguard.checks import AppliedMigrations, ModelSchema, RequiredTables
from healthguard.service.declared_text import MAX_DEPTH, MAX_MEMBERS, MAX_VALUES, declared_text
from tests.support.rich_declaration import DECLARATION, Foreign, Plain, ThirdParty, key_reader, read_key
from tests.support.sites import REPOSITORY, UNMEASURED

PRINT_TEXTS = """
from django.conf import settings
settings.configure()
from healthguard.service.declared_text import declared_text
from tests.support.rich_declaration import DECLARATION, NAMES
print(list(NAMES))
for value in DECLARATION:
    print(declared_text(value))
"""

# Few different characters and numbers, so that texts that are ambiguous are found.
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.floats(-2, 2, width=16)
    | st.text("a,'\"[](){}:\\1", max_size=3)
    | st.binary(max_size=2)
)
hashables = st.recursive(leaves, lambda members: st.tuples(members) | st.frozensets(members, max_size=2), max_leaves=3)
plain_values = st.recursive(
    leaves | hashables,
    lambda members: (
        st.lists(members, max_size=3)
        | st.tuples(members)
        | st.tuples(members, members)
        | st.sets(hashables, max_size=3)
        | st.dictionaries(hashables, members, max_size=3)
    ),
    max_leaves=8,
)


def is_equal(one: Any, other: Any) -> bool:
    """Return True if two plain values are equal and of the same types, down to their members."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(is_equal, one, other))
    if isinstance(one, set | frozenset | dict):
        ones, others = (list(value.items()) if isinstance(value, dict) else list(value) for value in (one, other))
        return len(ones) == len(others) and all(any(is_equal(member, m) for m in others) for member in ones)
    if isinstance(one, float):
        return repr(one) == repr(other)
    return bool(one == other)


def texts_of_process(seed: str) -> list[str]:
    """Return the lines that a process with another hash seed prints: the order of a set, and the texts."""
    environment = {**os.environ, **UNMEASURED, "PYTHONHASHSEED": seed, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", PRINT_TEXTS], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_text_is_the_same_in_every_process() -> None:
    """The order of sets and the addresses of objects differ between processes, and the texts do not."""
    processes = [texts_of_process(seed) for seed in ("1", "2", "3")]
    assert len({lines[0] for lines in processes}) > 1
    assert processes[0][1:] == processes[1][1:] == processes[2][1:]
    assert len(processes[0][1:]) == len(DECLARATION)
    assert "unreadable" not in "".join(processes[0])
    assert "0x7" not in "".join(processes[0])


@given(plain_values, plain_values)
def test_different_values_have_different_texts(one: object, other: object) -> None:
    assert (declared_text(one) == declared_text(other)) == is_equal(one, other)


@given(plain_values)
def test_text_depends_only_on_the_value(value: object) -> None:
    assert declared_text(value) == declared_text(copy_of(value))


def copy_of(value: Any) -> Any:
    """Return an equal value whose dicts and sets were filled in the opposite order."""
    if isinstance(value, dict):
        return {copy_of(key): copy_of(value[key]) for key in reversed(list(value))}
    if isinstance(value, list | tuple | set | frozenset):
        members = [copy_of(member) for member in value]
        return type(value)(members if isinstance(value, list | tuple) else members[::-1])
    return value


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: int = dataclasses.field(default=0, repr=False, compare=False)


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


def _local(number: int) -> Callable[[], int]:
    def read() -> int:
        return number

    return read


class Deployed:
    @classmethod
    def read(cls) -> str:
        return ""


DIFFERENT: list[tuple[object, object]] = [
    (1, True),
    (1, "1"),
    (1, 1.0),
    (["a,b"], ["a", "b"]),
    (["a"], "['a']"),
    ([["a"], "b"], [["a", "b"]]),
    (b"a", "a"),
    ("\ud800", "\\ud800"),
    ({"a": "b"}, {"b": "a"}),
    ({"a"}, ["a"]),
    (None, "None"),
    (deque([1]), deque([2])),
    ({"a": 1}.keys(), {"b": 1}.keys()),
    (range(2), range(3)),
    (types.MappingProxyType({"a": 1}), types.MappingProxyType({"a": 2})),
    (Point(1), Point(2)),
    (Point(1), Point(1, 2)),
    (Level.LOW, Level.HIGH),
    (Level.LOW, 1),
    (re.compile("a"), re.compile("b")),
    (re.compile("a"), re.compile("a", re.IGNORECASE)),
    (datetime.timedelta(1), datetime.timedelta(2)),
    (datetime.datetime(2030, 1, 1), datetime.date(2030, 1, 1)),
    (functools.partial(int, "1"), functools.partial(int, "2")),
    (functools.partial(int, base=2), functools.partial(int, base=3)),
    (int, str),
    (key_reader, read_key),
    (key_reader("A"), key_reader("B")),
    (_local(1), _local(2)),
    (lambda: "a", lambda: "b"),
    (lambda n=1: n, lambda n=2: n),
    (lambda: [n + 1 for n in (1, 2)], lambda: [n + 2 for n in (1, 2)]),
    (functools.cache(read_key), functools.cache(key_reader)),
    ("a".join, "b".join),
    ("a".join, "a".split),
    (Plain("a").run, Plain("b").run),
    (Deployed.read, Deployed.__dict__["read"].__func__),
    (Foreign(), Plain("a")),
    (Foreign, Foreign()),
    (RequiredTables(["a"]), RequiredTables(["b"])),
    (RequiredTables(["a"]), RequiredTables(["a"], alias="other")),
    (AppliedMigrations(), AppliedMigrations(may_be_foreign=True)),
    (ThirdParty(secret="a"), ThirdParty(secret="b")),
    (ThirdParty(), ThirdParty),
    ((ThirdParty, {"options": 1}), (ThirdParty, {"options": 2})),
    (("path.to.Check", {"options": 1}), ("path.to.Check", {"other": 1})),
    (Plain("a"), Plain("b")),
    (Plain("a", token="a"), Plain("a", token="b")),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT, ids=lambda value: type(value).__name__)
def test_values_that_differ_have_different_texts(one: object, other: object) -> None:
    assert declared_text(one) != declared_text(other)
    assert declared_text([one]) != declared_text([other])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (("path.to.Check", {"a": 1, "b": 2}), ("path.to.Check", {"b": 2, "a": 1})),
        (Foreign(), Foreign()),
        (object(), object()),
        (key_reader("A"), key_reader("A")),
        (math.nan, float("nan")),
        (SafeString("a"), SafeString("a")),
        (gettext_lazy("yes"), gettext_lazy("no")),
        (SimpleLazyObject(lambda: 1 / 0), SimpleLazyObject(dict)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_that_do_not_differ_have_one_text(one: object, other: object) -> None:
    assert declared_text(one) == declared_text(other)


def test_translation_is_not_part_of_the_text() -> None:
    """The language differs between requests."""
    text = declared_text(gettext_lazy("January"))
    with override("de"):
        assert declared_text(gettext_lazy("January")) == text
    assert "Januar" not in text


def test_caches_of_checks_are_not_part_of_the_text() -> None:
    """A check fills in its caches while it runs."""
    schema, migrations, third_party, plain = ModelSchema(), AppliedMigrations(), ThirdParty(), Plain("a")
    checks = [schema, migrations, third_party, plain]
    before = [declared_text(check) for check in checks]
    schema._inspection = migrations._cached = third_party.cache = plain._cache = "filled in"  # type: ignore[assignment]
    assert [declared_text(check) for check in checks] == before


def test_public_attributes_of_an_undecorated_subclass_are_part_of_the_text() -> None:
    """Such a check inherits the fields of its base, and keeps its own options in attributes."""

    class Tables(RequiredTables):
        def __init__(self, prefix: str) -> None:
            super().__init__([f"{prefix}_orders"])
            self.prefix = prefix

    assert declared_text(Tables("a")) == declared_text(Tables("a"))
    assert declared_text(Tables("a")) != declared_text(Tables("b"))


class Angry(BaseException):
    pass


def _raise(*_: object) -> NoReturn:
    raise Angry


OVERRIDDEN = dict.fromkeys(
    "__repr__ __str__ __format__ __hash__ __eq__ __lt__ __bool__ __len__ __iter__ __next__ __contains__ __getitem__ "
    "__index__ __int__ __float__ __call__ __getattr__ __getattribute__ __fspath__ keys values items get".split(),
    _raise,
)
"""The methods of a hostile class."""


def hostile(base: type, *arguments: object) -> Any:
    """Return an instance of a subclass of ``base`` whose methods all raise."""
    return base.__new__(type("Hostile", (base,), OVERRIDDEN), *arguments)


def hostile_class() -> Any:
    """Return a class whose metaclass raises. It is not in this module itself, of which pytest reads all members."""
    names = ("__name__", "__module__", "__mro__", "__dict__")
    return type("HostileMeta", (type,), {**OVERRIDDEN, **dict.fromkeys(names, property(_raise))})("Hostile", (), {})


@dataclasses.dataclass
class HostileFields:
    good: object
    bad: object

    def __getattribute__(self, name: str) -> object:
        if name == "bad":
            raise Angry
        return super().__getattribute__(name)


class WithoutModule:
    __module__ = property(_raise)


class Endless(dict[str, str]):
    def items(self) -> Iterator[tuple[str, str]]:  # type: ignore[override]
        while True:
            yield "a", "b"


HOSTILE: dict[str, object] = {
    "object": hostile(object),
    "text": hostile(str, "a"),
    "number": hostile(int, 7),
    "dict": hostile(dict),
    "list": hostile(list),
    "set": hostile(set),
    "class": hostile_class(),
    "instance": object.__new__(hostile_class()),
    "class without module": WithoutModule(),
    "fields": HostileFields("good", "bad"),
    "check": hostile(ThirdParty),
    "partial": functools.partial(hostile(object)),
    "proxy": types.MappingProxyType(hostile(dict)),
    "empty cell": types.CellType(),
    "endless": types.MappingProxyType(Endless()),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_text_of_a_hostile_value_can_be_read(name: str) -> None:
    """Whatever a value raises, its text is deterministic, and the values beside it are read."""
    value = HOSTILE[name]
    assert declared_text(value) == declared_text(value)
    assert " at 0x" not in declared_text(value)
    assert declared_text([value, 1]) != declared_text([value, 2])


def test_content_of_subclasses_is_read_with_the_functions_of_their_base() -> None:
    assert declared_text(hostile(str, "a")) != declared_text(hostile(str, "b"))
    assert declared_text(hostile(int, 1)) != declared_text(hostile(int, 2))
    one, other = hostile(dict), hostile(dict)
    dict.update(one, a="b")
    assert declared_text(one) != declared_text(other)


def test_unreadable_attribute_hides_no_other_attribute() -> None:
    assert declared_text(HostileFields(1, "bad")) != declared_text(HostileFields(2, "bad"))


@given(st.builds(lambda value, name: [value, HOSTILE[name]], plain_values, st.sampled_from(sorted(HOSTILE))))
def test_text_can_always_be_encoded(value: object) -> None:
    assert declared_text(value).encode()


def test_text_of_a_cyclic_value_ends() -> None:
    cyclic: list[Any] = ["a"]
    cyclic.extend([cyclic] * 9)
    other: list[Any] = ["b"]
    other.extend([other] * 9)
    assert len(declared_text(cyclic)) < 1000
    assert declared_text(cyclic) != declared_text(other)


def test_text_of_a_deep_value_ends() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert len(declared_text(deep)) < 100 * MAX_DEPTH
    while deep:
        # The destructor of such a list would be recursive.
        deep = deep[0]


def test_text_of_a_value_that_repeats_itself_ends() -> None:
    """The number of the paths to its members doubles with each level."""
    repeated: list[Any] = ["a"]
    for _ in range(MAX_DEPTH - 2):
        repeated = [repeated, repeated]
    assert declared_text(repeated) == declared_text([repeated, repeated])
    assert str(MAX_VALUES) in declared_text(repeated)


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset, deque, dict.fromkeys])
def test_text_of_many_members_is_their_number(kind: Callable[[range], object]) -> None:
    texts = [declared_text(kind(range(MAX_MEMBERS + more))) for more in (0, 1, 2)]
    assert len(set(texts)) == 3
    assert len(texts[0]) > MAX_MEMBERS
    assert len(texts[1]) < 100
