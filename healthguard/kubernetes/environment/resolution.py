"""The environment of a container, resolved as the kubelet does it.

https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kubelet_pods.go, makeEnvironmentVariables
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from healthguard.kubernetes.environment import expansion
from healthguard.kubernetes.environment.deferred import has_vault_plugin, is_deferred, sets_variables_itself
from healthguard.kubernetes.environment.fields import has_ineffective_variables, is_malformed, is_malformed_source
from healthguard.kubernetes.environment.references import SourceReference, reference_at
from healthguard.kubernetes.environment.services import may_name_service_variable, variables_of_services
from healthguard.kubernetes.environment.sources import Source, source_of
from healthguard.kubernetes.environment.stored import MAX_CHARACTERS, StoredValue
from healthguard.kubernetes.environment.variables import Environment, Part, Presence, Variable
from healthguard.kubernetes.reading.nodes import MapNode, Node, ScalarNode
from healthguard.kubernetes.reading.objects import Cluster
from healthguard.kubernetes.workloads import Container, is_known


def resolve(container: Container, cluster: Cluster) -> Environment:
    """Return the environment that a container gets, as far as the inputs determine it."""
    resolution = _Resolution(container, cluster)
    for entry in _last_of_each_source(container):
        resolution.add_source(entry)
    for entry in container.node.maps_at("env"):
        resolution.add_entry(entry)
    prefixes = tuple(resolution.open_prefixes)
    return Environment(resolution.variables, bool(prefixes), prefixes, resolution.services)


def _last_of_each_source(container: Container) -> list[MapNode]:
    """Return the entries of ``envFrom``, of which a later one with the same source and prefix replaces all keys."""
    entries: dict[Hashable, MapNode] = {}
    for entry in container.node.maps_at("envFrom"):
        reference = reference_at(entry, container)
        source = entry if reference is None else (reference.kind, reference.name, reference.prefix)
        entries.pop(source, None)
        entries[source] = entry
    return list(entries.values())


class _Resolution:
    """The state of a resolution: the variables so far."""

    def __init__(self, container: Container, cluster: Cluster) -> None:
        self.container = container
        self.cluster = cluster
        self.variables: dict[str, Variable] = {}
        self._known: set[str] = set()
        """The names of the variables that no source with unknown keys may have replaced."""
        is_open = sets_variables_itself(container) or has_ineffective_variables(container)
        self.open_prefixes: dict[str, None] = {"": None} if is_open else {}
        self.has_plugin = has_vault_plugin(container.workload.object.node)
        self.services = variables_of_services(container, cluster)

    def add_source(self, entry: MapNode) -> None:
        """Add the variables of an entry of ``envFrom``. They replace earlier ones."""
        reference = reference_at(entry, self.container)
        if reference is None or not reference.name or is_malformed_source(entry):
            self._open(entry.text_at("prefix") or "")
            return
        source = source_of(reference, self.container.workload, self.cluster)
        if source.is_open and not source.is_missing:
            self._open(reference.prefix)
        for key, value in source.values.items():
            self._set(_stored(reference.prefix + key, value, reference, key))

    def add_entry(self, entry: MapNode) -> None:
        """Add the variable of an entry of ``env``. It replaces an earlier one, unless it is optional and missing."""
        name = entry.text_at("name")
        if not name:
            return
        literal = entry.at("value")
        if is_malformed(entry):
            # See the rules on unknown fields and on entries with two sources.
            self._set(Variable(name, Presence.UNKNOWABLE, None, "env", entry))
        elif isinstance(literal, ScalarNode) and literal.value not in (None, ""):
            self._set(self._literal(name, entry, literal))
        elif entry.at("valueFrom") is None:
            self._set(Variable(name, Presence.PRESENT, "", "env", entry, self.container.workload.object, literal))
        else:
            self._add_reference(name, entry)

    def _add_reference(self, name: str, entry: MapNode) -> None:
        reference = reference_at(entry, self.container)
        if reference is None:
            self._set(_from_cluster(name, entry))
            return
        source = source_of(reference, self.container.workload, self.cluster)
        variable = _referenced(name, reference, source)
        if variable.presence is not Presence.PRESENT and reference.is_optional and name in self.variables:
            # The earlier value remains. It is not certain if the key may exist.
            if variable.presence is Presence.UNKNOWABLE:
                self._set(_without_value(self.variables[name]))
            return
        self._set(variable)

    def _literal(self, name: str, entry: MapNode, node: ScalarNode) -> Variable:
        workload = self.container.workload.object
        if not isinstance(node.value, str):
            # The API server refuses it, see the rule on values that are not text.
            return Variable(name, Presence.PRESENT, None, "env", entry, workload, node)
        if len(node.value) > MAX_CHARACTERS:
            return Variable(name, Presence.PRESENT, None, "env", entry, workload, node)
        parts = tuple(self._parts(node.value))
        texts = [part.text for part in parts if part.text is not None]
        is_short = sum(map(len, texts)) <= MAX_CHARACTERS
        is_known = is_short and len(texts) == len(parts) and not is_deferred(node.value, has_plugin=self.has_plugin)
        return Variable(
            name, Presence.PRESENT, "".join(texts) if is_known else None, "env", entry, workload, node, parts
        )

    def _parts(self, value: str) -> Iterator[Part]:
        for token in expansion.tokens(value):
            yield Part(token.text) if token.name is None else self._reference(token.name, token.text)

    def _reference(self, name: str, written: str) -> Part:
        variable = self.variables.get(name)
        is_open = any(name.startswith(prefix) for prefix in self.open_prefixes)
        if variable is None or variable.presence is Presence.ABSENT:
            # A source whose keys are not known has priority over the variables of Services.
            variable = None if is_open else self.services.get(name)
        if variable is not None:
            return Part(variable.value, name, variable)
        # The controller of a custom resource may add variables, as that of a LeaderWorkerSet does.
        is_custom = not is_known(self.container.workload.object)
        may_exist = is_open or is_custom or may_name_service_variable(name, self.container, self.cluster)
        return Part(None if may_exist else written, name)

    def _open(self, prefix: str) -> None:
        """Add a source whose keys are not known. It may also replace the variables so far."""
        self.open_prefixes[prefix] = None
        replaced = [name for name in self._known if name.startswith(prefix)]
        self.variables |= {name: _without_value(self.variables[name]) for name in replaced}
        self._known.difference_update(replaced)

    def _set(self, variable: Variable) -> None:
        self._known.add(variable.name)
        # The order of a dictionary is that of the first assignment; the kubelet sets a variable at its last one.
        self.variables.pop(variable.name, None)
        self.variables[variable.name] = variable


def _stored(name: str, value: StoredValue, reference: SourceReference, key: str) -> Variable:
    origin = f'key "{key}" of {reference.label}'
    return Variable(
        name,
        Presence.PRESENT,
        value.text,
        origin,
        reference.entry,
        value.object,
        value.node,
        is_encoded=value.is_encoded,
    )


def _referenced(name: str, reference: SourceReference, source: Source) -> Variable:
    key = reference.key or ""
    value = source.values.get(key)
    if value is not None:
        return _stored(name, value, reference, key)
    is_known = reference.name and key and (source.is_missing or not source.is_open)
    presence = Presence.ABSENT if is_known else Presence.UNKNOWABLE
    return Variable(name, presence, None, f'key "{key}" of {reference.label}', reference.entry)


def _from_cluster(name: str, entry: MapNode) -> Variable:
    """Return a variable whose value is determined in the cluster, like the address of the pod, or in a file."""
    for field in ("fieldRef", "resourceFieldRef"):
        if entry.map_at("valueFrom", field) is not None:
            return Variable(name, Presence.PRESENT, None, field, entry)
    return Variable(name, Presence.UNKNOWABLE, None, "valueFrom", entry)


def _without_value(variable: Variable) -> Variable:
    """Return a variable that something else may replace, without its value."""
    node: Node = variable.entry
    return Variable(variable.name, variable.presence, None, variable.origin, node)
