"""A tree in each representation."""

from django.db import models
from treebeard.al_tree import AL_Node
from treebeard.mp_tree import MP_Node
from treebeard.ns_tree import NS_Node


class ByPath(MP_Node):
    name = models.CharField(max_length=30)
    node_order_by = ["name"]


class ByIntervals(NS_Node):
    name = models.CharField(max_length=30)
    node_order_by = ["name"]


class ByParent(AL_Node):
    parent = models.ForeignKey("self", related_name="children", null=True, db_index=True, on_delete=models.CASCADE)
    sib_order = models.PositiveIntegerField()
    name = models.CharField(max_length=30)
