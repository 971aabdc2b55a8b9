"""The code, the fault and the hint of each error that a driver of PostgreSQL raises, in every language."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import django.db
import psycopg
import psycopg2
import pytest

from example_project.postgres import Postgres
from healthguard.checks import DatabaseName
from healthguard.database.queries import problem_of
from healthguard.status import Fault, Problem
from tests.support import results
from tests.support.database_servers import DATABASE, PASSWORD, PGBOUNCER, POSTGRES, USER, Bouncer, TLSPostgres, speaking
from tests.support.driver_errors import problem_of_a_full_server, wrapped
from tests.support.fixture_types import Connect, FindProblem, RunCheck

CONFIG, OUTAGE = Fault.CONFIG, Fault.OUTAGE
DRIVERS: dict[str, Any] = {"psycopg": psycopg, "psycopg2": psycopg2}
needs_postgres = pytest.mark.skipif(POSTGRES is None, reason="no PostgreSQL server here: apt-get install postgresql")
needs_pgbouncer = pytest.mark.skipif(PGBOUNCER is None, reason="no pgbouncer here: apt-get install pgbouncer")
HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
SSH = b"SSH-2.0-OpenSSH_9.2\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[TLSPostgres]:
    """A PostgreSQL with TLS that the tests of this module may configure."""
    running = TLSPostgres()
    yield running
    running.remove()


@pytest.fixture(scope="module")
def bouncer(server: TLSPostgres) -> Iterator[Bouncer]:
    """A PgBouncer between the tests and that server."""
    running = Bouncer(server.port)
    yield running
    running.remove()


def problem_of_connection(driver: str, alias: str = "other", **options: Any) -> Problem:
    """Return the problem of the error that the driver raises and Django wraps."""
    options = {name: value for name, value in options.items() if value is not None}
    with pytest.raises(DRIVERS[driver].Error) as raised:
        DRIVERS[driver].connect(**options).close()
    return problem_of(wrapped(raised.value), alias)


def problem_of_refusal(driver: str, **options: Any) -> Problem:
    """Return the problem of the first connection that the full server refuses."""
    return problem_of_a_full_server(lambda: DRIVERS[driver].connect(**options), (DRIVERS[driver].Error,))


def options_of(port: int, /, **changes: Any) -> dict[str, Any]:
    """Return the options of a connection that succeeds, with ``changes``."""
    usual: dict[str, Any] = {"host": "127.0.0.1", "port": port, "user": USER, "password": PASSWORD, "dbname": DATABASE}
    return {**usual, "connect_timeout": 10, **changes}


# Each case has the options, the code, the fault, and a part of the message or the hint that only one rule has.
REFUSED: dict[str, tuple[dict[str, Any], str, Fault, str]] = {
    "wrong password": ({"password": "wr0ng"}, "database_credentials", CONFIG, "the password"),
    "no password": ({"password": None}, "database_credentials", CONFIG, "the password"),
    "unknown role": ({"user": "nobody_here"}, "database_credentials", CONFIG, "the password"),
    "unknown database": ({"dbname": "nc_nope"}, "database_missing", CONFIG, "has no database"),
    "two hosts": (
        {"host": "nohost.invalid,127.0.0.1", "password": "wr0ng"},
        "database_credentials",
        CONFIG,
        "the password",
    ),
    "refused": ({"port": 1}, "database_unreachable", OUTAGE, "host and port"),
    "unknown host": ({"host": "nohost.invalid"}, "database_unreachable", OUTAGE, "typos"),
    "no socket": ({"host": "/no/such/folder"}, "database_unreachable", OUTAGE, "host and port"),
    "port that is no port": ({"port": 99999}, "database_options", CONFIG, "option"),
    "port that is a word": ({"port": "http"}, "database_options", CONFIG, "option"),
    "unknown service": ({"service": "nope"}, "database_options", CONFIG, "service file"),
    "unknown sslmode": ({"sslmode": "maybe"}, "database_options", CONFIG, "option"),
    "unknown option": ({"no_such_option": "1"}, "database_options", CONFIG, "option"),
    "unknown parameter": ({"options": "-c nope=1"}, "database_options", CONFIG, "option"),
    "missing authority": (
        {"sslmode": "verify-full", "sslrootcert": "/no/such/ca.pem"},
        "database_tls",
        CONFIG,
        "sslrootcert",
    ),
    "authority of nonsense": (
        {"sslmode": "verify-full", "sslrootcert": "{nonsense}"},
        "database_tls",
        CONFIG,
        "sslrootcert",
    ),
    "another authority": ({"sslmode": "verify-ca", "sslrootcert": "{stranger}"}, "database_tls", CONFIG, "authority"),
    "certificate of another host": (
        {"sslmode": "verify-full", "sslrootcert": "{authority}"},
        "database_tls",
        CONFIG,
        "another host",
    ),
    "no standby": ({"target_session_attrs": "standby"}, "database_refused", OUTAGE, "failover"),
}


@needs_postgres
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("case", REFUSED)
def test_refused_connection_gives_the_problem_of_its_reason(server: TLSPostgres, driver: str, case: str) -> None:
    changes, code, fault, words = REFUSED[case]
    files = {name: getattr(server.folder, name) for name in ("nonsense", "stranger", "authority")}
    options = {
        name: value.format(**files) if isinstance(value, str) else value
        for name, value in options_of(server.port, **changes).items()
    }
    if "," in str(options["host"]):
        options["port"] = f"{server.port},{server.port}"
    problem = problem_of_connection(driver, **options)
    assert (problem.code, problem.fault) == (code, fault), problem
    assert words in problem.message + problem.hint
    assert PASSWORD not in repr(problem)


ALTERED = {
    "no login": (f"ALTER ROLE {USER} NOLOGIN", f"ALTER ROLE {USER} LOGIN", "database_credentials", CONFIG),
    "password expired": (
        f"ALTER ROLE {USER} VALID UNTIL '2001-01-01'",
        f"ALTER ROLE {USER} VALID UNTIL 'infinity'",
        "database_credentials",
        CONFIG,
    ),
    "closed": (
        f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS false",
        f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS true",
        "database_closed",
        CONFIG,
    ),
    "limit of the database": (
        f"ALTER DATABASE {DATABASE} CONNECTION LIMIT 0",
        f"ALTER DATABASE {DATABASE} CONNECTION LIMIT -1",
        "database_connections_exhausted",
        OUTAGE,
    ),
    "limit of the role": (
        f"ALTER ROLE {USER} CONNECTION LIMIT 0",
        f"ALTER ROLE {USER} CONNECTION LIMIT -1",
        "database_connections_exhausted",
        OUTAGE,
    ),
    "no right to connect": (
        f"REVOKE CONNECT ON DATABASE {DATABASE} FROM public; ALTER DATABASE {DATABASE} OWNER TO postgres",
        f"GRANT CONNECT ON DATABASE {DATABASE} TO public; ALTER DATABASE {DATABASE} OWNER TO {USER}",
        "database_credentials",
        CONFIG,
    ),
}


@needs_postgres
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("case", ALTERED)
def test_restriction_on_the_server_is_reported_by_its_code(server: TLSPostgres, driver: str, case: str) -> None:
    broken, repaired, code, fault = ALTERED[case]
    server.execute(*broken.split(";"))
    try:
        problem = problem_of_connection(driver, **options_of(server.port))
    finally:
        server.execute(*repaired.split(";"))
    assert (problem.code, problem.fault) == (code, fault), problem


ACCESS = {
    "no entry": ("", "database_credentials", "pg_hba.conf"),
    "rejected": ("host all all all reject\n", "database_credentials", "pg_hba.conf"),
    "only with TLS, and the settings are without": (
        "hostssl all all all scram-sha-256\n",
        "database_tls",
        "sslmode=require",
    ),
    "only without TLS": ("hostnossl all all all scram-sha-256\n", "database_credentials", "pg_hba.conf"),
    "only with a client's certificate": ("hostssl all all all cert\n", "database_tls", "certificate"),
    "ident": ("host all all all ident\n", "database_credentials", "user"),
}


@needs_postgres
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("case", ACCESS)
def test_access_rules_of_the_server_are_explained(
    server: TLSPostgres, connect: Connect, driver: str, case: str
) -> None:
    rules, code, words = ACCESS[case]
    mode = {
        "only with TLS, and the settings are without": "disable",
        "only without TLS": "require",
        "only with a client's certificate": "require",
    }.get(case, "prefer")
    url = f"postgres://{USER}:{PASSWORD}@127.0.0.1:{server.port}/{DATABASE}"
    alias = connect(url, OPTIONS={"sslmode": mode})
    with server.access(rules):
        problem = problem_of_connection(driver, alias, **options_of(server.port, sslmode=mode))
    assert (problem.code, problem.fault) == (code, CONFIG), problem
    assert words in problem.message + problem.hint


@needs_postgres
@pytest.mark.parametrize("driver", DRIVERS)
def test_server_without_a_free_connection_is_an_outage(server: TLSPostgres, driver: str) -> None:
    with contextlib.ExitStack() as taken:
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                taken.enter_context(psycopg.connect(**options_of(server.port)))
        problem = problem_of_refusal(driver, **options_of(server.port))
    assert (problem.code, problem.fault) == ("database_connections_exhausted", OUTAGE)


@pytest.mark.parametrize("driver", DRIVERS)
def test_server_without_tls_is_reported(postgres: Postgres, driver: str) -> None:
    """The PostgreSQL of this machine offers TLS, so a listener that declines it simulates one that does not."""
    with speaking(b"N", waits=True) as port:
        problem = problem_of_connection(driver, **options_of(port, sslmode="require"))
    assert (problem.code, problem.fault) == ("database_tls", CONFIG)
    assert "does not offer TLS" in problem.message


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("mode", ["prefer", "disable"])
@pytest.mark.parametrize(
    ("greeting", "waits"),
    [(HTTP, True), (SSH, False), (b"-ERR unknown command\r\n", True)],
    ids=["HTTP", "SSH", "Redis"],
)
def test_port_of_another_service_is_reported(driver: str, greeting: bytes, waits: bool, mode: str) -> None:
    with speaking(greeting, waits=waits) as port:
        problem = problem_of_connection(driver, **options_of(port, sslmode=mode))
    assert (problem.code, problem.fault) == ("database_protocol", CONFIG), problem


@pytest.mark.parametrize("driver", DRIVERS)
def test_connection_that_is_closed_without_a_response_is_an_outage(driver: str) -> None:
    """A load balancer without a server behind it closes connections like this."""
    with speaking(b"", waits=True) as port:
        problem = problem_of_connection(driver, **options_of(port))
    assert (problem.code, problem.fault) == ("database_unreachable", OUTAGE), problem


BOUNCED: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown database": ({"dbname": "nope"}, "database_missing", "pooler"),
    "database that its server has not": ({"dbname": "gone"}, "database_missing", "has no database"),
    "wrong password": ({"password": "wr0ng"}, "database_credentials", "password"),
    "unknown user": ({"user": "nobody_here"}, "database_credentials", "password"),
    "no TLS": ({"sslmode": "require"}, "database_tls", "does not offer TLS"),
    "startup option": ({"options": "-c statement_timeout=5"}, "database_options", "pooler"),
    "disabled": ({"dbname": "closed"}, "database_closed", "ENABLE"),
}


@needs_postgres
@needs_pgbouncer
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("case", BOUNCED)
def test_connection_that_pgbouncer_refuses_gives_the_problem_of_its_reason(
    bouncer: Bouncer, driver: str, case: str
) -> None:
    changes, code, words = BOUNCED[case]
    problem = problem_of_connection(driver, **options_of(bouncer.port, **{"dbname": "web-pool", **changes}))
    assert (problem.code, problem.fault) == (code, CONFIG), problem
    assert words in problem.message + problem.hint


@needs_postgres
@needs_pgbouncer
@pytest.mark.parametrize("driver", DRIVERS)
def test_pgbouncer_without_a_free_connection_is_an_outage(bouncer: Bouncer, driver: str) -> None:
    with bouncer.full():
        problem = problem_of_refusal(driver, **options_of(bouncer.port, dbname="web-pool"))
    assert (problem.code, problem.fault) == ("database_connections_exhausted", OUTAGE)
    assert "max_client_conn" in problem.hint


@needs_postgres
@needs_pgbouncer
@pytest.mark.parametrize(
    ("expected", "code"), [(DATABASE, None), ("web-pool", "wrong_database"), ("landing", "wrong_database")]
)
def test_name_of_the_servers_database_counts_behind_a_pooler(
    bouncer: Bouncer, connect: Connect, result: RunCheck, expected: str, code: str | None
) -> None:
    alias = connect(f"postgres://{USER}:{PASSWORD}@127.0.0.1:{bouncer.port}/web-pool")
    outcome = result(DatabaseName(expected, alias))
    assert (outcome.problem and outcome.problem.code) == code, outcome
    evidence = outcome.evidence or results.problem_of(outcome).evidence
    assert (evidence["actual"], evidence["configured"]) == (DATABASE, "web-pool")


@needs_postgres
@needs_pgbouncer
def test_outage_of_the_pooler_is_not_reported_as_another_database(
    server: TLSPostgres, connect: Connect, problem: FindProblem
) -> None:
    """The last name that the server returned counts while the server does not respond."""
    running = Bouncer(server.port)
    alias = connect(f"postgres://{USER}:{PASSWORD}@127.0.0.1:{running.port}/web-pool")
    try:
        assert problem(DatabaseName("landing", alias)).code == "wrong_database"
    finally:
        running.remove()
    django.db.connections[alias].close()
    assert problem(DatabaseName(DATABASE, alias)).code == "database_unreachable"
    still_wrong = problem(DatabaseName("landing", alias))
    assert (still_wrong.code, still_wrong.evidence["actual"]) == ("wrong_database", DATABASE)


TRANSLATED: dict[str, tuple[dict[str, Any], str]] = {
    "wrong password": ({"password": "wr0ng"}, "database_credentials"),
    "unknown database": ({"dbname": "nc_nope"}, "database_missing"),
    "closed": ({"dbname": "template0", "user": "postgres"}, "database_closed"),
}
LANGUAGES = [name for name in ("de", "fr", "ja", "ru", "es") if os.path.exists(f"/usr/share/locale/{name}/LC_MESSAGES")]


@needs_postgres
@pytest.mark.parametrize("language", LANGUAGES)
def test_errors_of_a_server_in_another_language_are_recognized(language: str) -> None:
    running = TLSPostgres(language)
    try:
        codes = {
            case: {problem_of_connection(driver, **options_of(running.port, **changes)).code for driver in DRIVERS}
            for case, (changes, _) in TRANSLATED.items()
        }
        with running.access(""):
            codes["no entry"] = {problem_of_connection(driver, **options_of(running.port)).code for driver in DRIVERS}
        running.execute(f"ALTER ROLE {USER} CONNECTION LIMIT 0")
        codes["full"] = {problem_of_connection(driver, **options_of(running.port)).code for driver in DRIVERS}
    finally:
        running.remove()
    expected = {case: {code} for case, (_, code) in TRANSLATED.items()}
    assert codes == {**expected, "no entry": {"database_credentials"}, "full": {"database_connections_exhausted"}}


@pytest.mark.parametrize(
    ("text", "code", "fault"),
    [
        ("verbinding mislukt: FATAL:  iets dat niemand kent", "database_refused", CONFIG),
        ("connection failed: ВАЖНО:  нечто новое", "database_refused", CONFIG),
        ("connection failed: FATAL:  the database system is starting up", "database_starting", OUTAGE),
        ("Verbindung fehlgeschlagen: FATAL:  das Datenbanksystem fährt herunter", "database_starting", OUTAGE),
        ("connection failed: FATAL:  database system is in a new state", "database_refused", CONFIG),
        ("FATAL:  server login has been failing, try again later (server_login_retry)", "database_refused", OUTAGE),
        ("connection failed: No route to host", "database_unreachable", OUTAGE),
        ("connection failed: Network is unreachable", "database_unreachable", OUTAGE),
        ("FATAL:  Tenant or user not found", "database_credentials", CONFIG),
        ("ERROR:  connection is insecure (try using `sslmode=require`)", "database_tls", CONFIG),
        ("something that no rule knows", "database_refused", CONFIG),
        ("the connection is closed", "database_unreachable", OUTAGE),
        ('on socket "/x" failed: Permission denied\n\tIs the server running locally?', "database_refused", CONFIG),
        ("connection failed: SSL SYSCALL error: Connection reset by peer", "database_unreachable", OUTAGE),
        ("connection failed: SSL error: tlsv1 alert unknown ca", "database_tls", CONFIG),
        ("FATAL:  MaxClientsInSessionMode: max clients reached", "database_connections_exhausted", OUTAGE),
        ("FATAL:  client_login_timeout", "database_timeout", OUTAGE),
        ("couldn't get a connection after 10.00 sec", "database_timeout", OUTAGE),
        ('FATAL:  database "connection refused" does not exist', "database_missing", CONFIG),
        ('FATAL:  no pg_hba.conf entry for host "::1", user "timed out"', "database_credentials", CONFIG),
        ("FATAL:  This RDS Proxy requires TLS connections", "database_tls", CONFIG),
        ("ORA-12541: TNS:no listener", "database_unreachable", OUTAGE),
        ("FATAL:  out of memory", "database_error", OUTAGE),
        ("", "database_refused", CONFIG),
    ],
)
def test_error_text_decides_without_a_number(text: str, code: str, fault: Fault) -> None:
    """Some of these errors cannot be provoked with the servers here, and others match no rule."""
    error = django.db.OperationalError(text)
    error.__cause__ = psycopg.OperationalError(text)
    problem = problem_of(error, "default")
    assert (problem.code, problem.fault) == (code, fault)
