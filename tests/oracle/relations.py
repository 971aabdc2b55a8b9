"""The operations of the application on rows of several tables."""

from __future__ import annotations

import uuid

from django.db.models import Model

from tests.oracle.models import Code, Express, Order, Person, Profile, Seat, Small, Tag
from tests.oracle.operations import Operation, conflict_on, is_duplicate_refused, tables_of
from tests.oracle.rows import create


def _tables(*models: type[Model]) -> frozenset[str]:
    return frozenset(name for model in models for name in tables_of(model))


_M2M = frozenset({Order.tags.through._meta.db_table})


def _follow(alias: str) -> object:
    rows = Order.objects.using(alias).select_related("owner", "reviewer").filter(owner__name="usual")
    return frozenset((row.owner.name, row.number) for row in rows)


def _cascade(alias: str) -> object:
    person = create(Person, alias)
    order = create(Order, alias, owner=person, reviewer=person)
    create(Profile, alias, person=person)
    order.tags.add(create(Tag, alias))
    person.delete(using=alias)
    return Order.objects.using(alias).filter(pk=order.pk).exists()


def _tag(alias: str) -> object:
    order, tag = create(Order, alias), create(Tag, alias)
    order.tags.add(tag)
    order.tags.add(tag)
    count = order.tags.count()
    order.tags.clear()
    return count, Order.objects.using(alias).filter(tags=tag).count()


def _pairs(alias: str) -> object:
    return is_duplicate_refused(alias, lambda: create(Order, alias, number=5))


def _review(alias: str) -> object:
    person = create(Person, alias)
    order = create(Order, alias, reviewer=person)
    return Order.objects.using(alias).filter(reviewer=person, pk=order.pk).exists()


def _express(alias: str) -> object:
    row = create(Express, alias, number=8, hours=3)
    row.hours, row.number = 4, 9
    row.save(using=alias)
    again = Order.objects.using(alias).get(pk=row.pk)
    return again.number, again.express.hours


def _children(alias: str) -> object:
    parent = create(Code, alias, code="parent")
    create(Code, alias, code="child", parent=parent)
    return [row.code for row in Code.objects.using(alias).filter(parent__code="parent")]


def _upsert(alias: str) -> object:
    for label in ("before", "after"):
        Tag.objects.using(alias).bulk_create(
            [Tag(id=uuid.UUID(int=9), label=label)],
            update_conflicts=True,
            update_fields=["label"],
            **conflict_on(alias, "id"),
        )
    return [tag.label for tag in Tag.objects.using(alias).filter(id=uuid.UUID(int=9))]


def _upsert_pair(alias: str) -> object:
    owner = create(Person, alias)
    for _ in range(2):
        Order.objects.using(alias).bulk_create(
            [Order(owner=owner, number=5)],
            update_conflicts=True,
            update_fields=["reviewer"],
            **conflict_on(alias, "owner", "number"),
        )
    return Order.objects.using(alias).filter(owner=owner).count()


def _seat(alias: str) -> object:
    return is_duplicate_refused(alias, lambda: create(Seat, alias, row=100, place=1))


def _numbered(alias: str) -> object:
    first, second = create(Small, alias), create(Small, alias)
    return second.pk > first.pk, isinstance(first.pk, int)


RELATIONS = [
    Operation("follow foreign keys", _tables(Order, Person), _follow, reads=True),
    Operation("delete a row and all rows that refer to it", _tables(Order, Profile, Tag, Express) | _M2M, _cascade),
    Operation("tag an order", _tables(Order, Tag) | _M2M, _tag),
    Operation("two orders of one number", _tables(Order), _pairs),
    Operation("review an order", _tables(Order, Person), _review),
    Operation("change a child and its parent", _tables(Express), _express),
    Operation("a row that refers to its own table", _tables(Code), _children),
    Operation("insert or update a tag", _tables(Tag), _upsert),
    Operation("insert or update an order", _tables(Order), _upsert_pair),
    Operation("two rows of one composite key", _tables(Seat), _seat),
    Operation("automatic keys increase", _tables(Small), _numbered),
]
