"""The report of a running instance, requested from its health endpoint."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from healthguard.conf import OWN_SERVICE
from healthguard.formats.received import NotAReportError, report_in
from healthguard.http_client import EndpointResponse, Target, TransportError, call_blocking
from healthguard.management.errors import UsageError
from healthguard.secret_values.showable import shown_name
from healthguard.service.selection import Selection, UnknownNameError
from healthguard.status import CheckResult, Code, Fault, GroupReport, Problem, Report, ServiceReport, Status

if TYPE_CHECKING:
    import ssl

DEFAULT_LIMIT = 10.0
"""The longest time to wait for an answer if no deadline is given (seconds)."""
_UNAUTHORIZED, _NOT_FOUND = 401, 404
_REDIRECTS = range(300, 400)
_ANSWERS = (200, 503)
_SERVER_ERROR = 500
_UNTRUSTED = (
    "Name the certificates of a private authority with --ca-file, and use the host of the certificate in the URL."
)


@dataclasses.dataclass(frozen=True, slots=True)
class Remote:
    """A running instance.

    Args:
        target: its health endpoint.
        token: the bearer token; empty to send none.
        token_variable: the environment variable of the token.
        certificates: the trusted certificates; None for those that httpx trusts by default.
    """

    target: Target
    token: str = dataclasses.field(repr=False)
    token_variable: str
    certificates: ssl.SSLContext | None = dataclasses.field(default=None, repr=False)

    @classmethod
    def of(cls, url: str, token_variable: str, ca_file: str | None = None) -> Remote:
        """Return the instance whose health endpoint is at ``url``.

        Args:
            url: an http or https URL.
            token_variable: the environment variable of the token.
            ca_file: the path of a PEM file with the certificates to trust; None for the default.

        Raises:
            UsageError: one of the arguments cannot be used. The text contains none of them.
        """
        try:
            target = Target.of(url)
        except ValueError:
            raise UsageError("--url must be an http or https URL, like https://example.com/api/health.") from None
        if target.is_in_process:
            raise UsageError("--url must begin with http:// or https://.")
        if target.url.userinfo:
            raise UsageError(
                "--url must not contain a user or a password: other users can read the arguments of a process. Put a "
                "token of DETAILS_TOKENS into the environment variable HEALTHGUARD_TOKEN."
            )
        token = os.environ.get(token_variable, "").strip()
        if not token.isascii() or not token.isprintable():
            shown = shown_name(token_variable)
            raise UsageError(f"The token in {shown} contains characters that a header cannot have.")
        return cls(target, token, token_variable, None if ca_file is None else _certificates(ca_file))

    def report(self, limit: float) -> Report:
        """Return the report that the instance answers, or one that says why it did not answer.

        Args:
            limit: the longest time to wait for the answer (seconds).
        """
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            response = call_blocking("GET", self.target, headers, limit=limit, trusted=self.certificates)
        except TransportError as error:
            code = Code.ENDPOINT_TIMEOUT if error.is_late else Code.ENDPOINT_UNREACHABLE
            is_untrusted = error.reason.startswith("SSLCertVerification")
            return self._failed(
                code,
                Fault.CONFIG if is_untrusted else Fault.OUTAGE,
                f"The instance did not answer: {error.reason}.",
                _UNTRUSTED if is_untrusted else "Check that it runs, and that this host can reach it.",
            )
        return self._read(response)

    def _read(self, response: EndpointResponse) -> Report:
        if response.status not in _ANSWERS or response.content is None:
            return self._refused(response)
        try:
            report = report_in(response.content)
        except NotAReportError as error:
            return self._failed(
                Code.ENDPOINT_NOT_JSON,
                _fault(response.status),
                f"The answer is not that of a health endpoint of healthguard: {error}.",
                "Check the path of the URL. It is that of path(…, include('healthguard.urls')) in the URLconf.",
            )
        is_serving = response.status == _ANSWERS[0]
        if report.status.is_serving == is_serving:
            return report
        return self._failed(
            Code.ENDPOINT_MISMATCH,
            Fault.CONFIG,
            f"The HTTP status is {response.status}, but the status in the answer is {report.status}.",
            "Check for a proxy in between that changes answers.",
        )

    def _refused(self, response: EndpointResponse) -> Report:
        message = f"The instance answered with HTTP status {response.status}."
        if response.content is None:
            message = "The answer is longer than 1 MB."
        if response.status in _REDIRECTS:
            hint = "healthguard never redirects. Use the URL at which it answers, with https and the right host."
        elif response.status == _UNAUTHORIZED:
            hint = f"Set {shown_name(self.token_variable)} to one of the tokens in DETAILS_TOKENS."
        elif response.status == _NOT_FOUND:
            hint = "Check the path of the URL, and the name of the service in it."
        else:
            hint = "Check the URL, and the proxy or load balancer in between: healthguard answers with 200 or 503."
        return self._failed(Code.ENDPOINT_STATUS, _fault(response.status), message, hint)

    def _failed(self, code: Code, fault: Fault, message: str, hint: str) -> Report:
        problem = Problem(code, fault, message, hint, {"url": self.target.shown})
        result = CheckResult("URL", Status.UNHEALTHY, problem)
        service = ServiceReport((OWN_SERVICE,), Status.UNHEALTHY, Status.UNHEALTHY, (result,))
        return Report(GroupReport({OWN_SERVICE: service}), (), 0.0, None, 0.0)


def _fault(status: int) -> Fault:
    """Return the fault of an answer that is not a report. A proxy answers with 5xx while it has no instance."""
    return Fault.OUTAGE if status >= _SERVER_ERROR else Fault.CONFIG


def _certificates(path: str) -> ssl.SSLContext:
    import ssl

    try:
        if not path:
            # Otherwise the certificates of the system would be trusted.
            raise ValueError("empty")
        return ssl.create_default_context(cafile=path)
    except (OSError, ValueError):
        raise UsageError("--ca-file must be a readable PEM file with at least one certificate.") from None


def select_reports(report: Report, names: tuple[str, ...], excluded: tuple[str, ...]) -> Report:
    """Return the report of the named services and groups alone, without those that are excluded.

    Raises:
        UsageError: the instance does not have such a service or group.
    """
    if not (names or excluded):
        return report
    if not isinstance(report.root, GroupReport):
        raise UsageError(
            "The answer of the instance lists no services, so none can be selected. Set the token, or use the URL of "
            "the service."
        )
    if OWN_SERVICE in report.root.members:
        return report
    try:
        selection = Selection.of(names, excluded, report.root.members)
    except UnknownNameError as error:
        raise UsageError(str(error)) from None
    root = _filtered(report.root, lambda service: selection.contains(service.path))
    if not root.members:
        raise UsageError("There is nothing to check: no service is left of those that the instance has.")
    return dataclasses.replace(report, root=root)


def _filtered(group: GroupReport, keep: Callable[[ServiceReport], bool]) -> GroupReport:
    """Return the group with the services that are kept, without groups that have become empty."""
    members: dict[str, GroupReport | ServiceReport] = {}
    for name, member in group.members.items():
        if isinstance(member, GroupReport):
            inner = _filtered(member, keep)
            if inner.members:
                members[name] = inner
        elif keep(member):
            members[name] = member
    return GroupReport(members)
