"""Rules on Secrets that controllers make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from healthguard.kubernetes.environment.makers import fetched_keys
from healthguard.kubernetes.environment.references import SourceReference, references_of
from healthguard.kubernetes.environment.sources import Source, source_of
from healthguard.kubernetes.findings import Finding, Severity
from healthguard.kubernetes.memo import memoized
from healthguard.kubernetes.reading.nodes import MapNode
from healthguard.kubernetes.reading.objects import Cluster, KubernetesObject, is_same_namespace
from healthguard.kubernetes.rules.rule import ContainerSubject, Rule, container_rule
from healthguard.kubernetes.workloads import Workload, workloads_of

_DRIVER = "secrets-store.csi.k8s.io"


@container_rule(
    "external-secret-drops-key", Severity.ERROR, "The template of an ExternalSecret drops a key that is used."
)
def find_dropped_keys(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the keys that an ExternalSecret fetches, but that its template leaves out of the Secret."""
    names = {name for requirement in subject.requirements.variables for name in requirement.names}
    for reference in references_of(subject.container):
        keys = [reference.key] if reference.key else [name.removeprefix(reference.prefix) for name in sorted(names)]
        source = source_of(reference, subject.container.workload, subject.cluster)
        for key in keys:
            dropped = dropping_template(source, key)
            if dropped is None:
                continue
            obj, target = dropped
            yield subject.finding(
                rule,
                f'{obj.label} fetches the key "{key}", but its template replaces all keys and does not contain it.',
                f'Add "{key}" to target.template.data, or set target.template.mergePolicy to Merge.',
                obj=subject.container.workload.object if reference.key else obj,
                node=reference.node_at("key") if reference.key else target,
                line=None if reference.key else target.line_of("template"),
                variable=reference.variable or f"{reference.prefix}{key}",
            )


def dropping_template(source: Source, key: str) -> tuple[KubernetesObject, MapNode] | None:
    """Return the ExternalSecret that fetches a key and drops it again, and its target; None if there is none."""
    return None if source.is_open or key in source.values else _fetched_by_templates(source).get(key)


@memoized
def _fetched_by_templates(source: Source) -> Mapping[str, tuple[KubernetesObject, MapNode]]:
    """Return the first ExternalSecret that fetches a key and has a target, and the target, by the key."""
    fetched: dict[str, tuple[KubernetesObject, MapNode]] = {}
    for content in source.contents:
        obj = content.object
        path = ("spec", "externalSecretSpec") if obj.kind == "ClusterExternalSecret" else ("spec",)
        spec = obj.node.map_at(*path)
        target = spec.map_at("target") if spec is not None else None
        if not obj.kind.endswith("ExternalSecret") or spec is None or target is None:
            continue
        for key in fetched_keys(obj, spec)[0]:
            fetched.setdefault(key, (obj, target))
    return fetched


@container_rule(
    "secret-provider-class-unmounted", Severity.ERROR, "The pod does not mount the SecretProviderClass of a Secret."
)
def find_unmounted(subject: ContainerSubject, rule: Rule[ContainerSubject]) -> Iterator[Finding]:
    """Yield the references to Secrets that exist only while a pod mounts their SecretProviderClass."""
    workload = subject.container.workload
    for reference in _first_of_each_source(subject):
        classes = _provider_classes(source_of(reference, workload, subject.cluster))
        if not classes:
            continue
        if not _mounted_classes(workload).isdisjoint(each.name for each in classes):
            continue
        is_mounted = any(_is_mounted_elsewhere(each, subject.cluster) for each in classes)
        others = "only other pods mount it" if is_mounted else "no pod mounts it"
        yield subject.finding(
            rule,
            f"{reference.label} is made from {classes[0].label} while a pod mounts it, but {others}.",
            f'Add a volume of the CSI driver {_DRIVER} with secretProviderClass "{classes[0].name}" to the pod, and '
            "mount it in a container.",
            obj=workload.object,
            node=reference.node_at("name"),
            variable=reference.variable,
            severity=Severity.WARNING if is_mounted or reference.is_optional else None,
        )


@memoized
def _provider_classes(source: Source) -> Sequence[KubernetesObject]:
    """Return the SecretProviderClasses from which a Secret is made; nothing if it may be made from anything else."""
    objects = [content.object for content in source.contents]
    return objects if all(obj.kind == "SecretProviderClass" for obj in objects) else ()


def _first_of_each_source(subject: ContainerSubject) -> Iterator[SourceReference]:
    seen = set()
    for reference in references_of(subject.container):
        if (reference.kind, reference.name) not in seen:
            seen.add((reference.kind, reference.name))
            yield reference


def _is_mounted_elsewhere(provider_class: KubernetesObject, cluster: Cluster) -> bool:
    namespaces = _namespaces_by_class(cluster).get(provider_class.name, ())
    return any(is_same_namespace(namespace, provider_class.namespace) for namespace in namespaces)


@memoized
def _namespaces_by_class(cluster: Cluster) -> dict[str, set[str]]:
    """Return the namespaces of the pods that mount a SecretProviderClass, by its name."""
    found: dict[str, set[str]] = {}
    for obj in cluster.objects:
        for workload in workloads_of(obj):
            for name in _mounted_classes(workload):
                found.setdefault(name, set()).add(obj.namespace)
    return found


@memoized
def _mounted_classes(workload: Workload) -> frozenset[str]:
    """Return the SecretProviderClasses that a container of a pod mounts. A volume that none mounts is not set up."""
    classes = {
        volume.text_at("name"): volume.text_at("csi", "volumeAttributes", "secretProviderClass")
        for volume in workload.spec.maps_at("volumes")
        if volume.text_at("csi", "driver") == _DRIVER
    }
    mounts = (mount for each in workload.containers() for mount in each.node.maps_at("volumeMounts"))
    return frozenset(name for mount in mounts if (name := classes.get(mount.text_at("name"))) is not None)
