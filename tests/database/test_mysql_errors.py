"""The code, the fault and the hint of each error that a driver of MySQL and MariaDB raises."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import django.db
import mysql.connector
import pymysql
import pytest

from healthguard.checks import DatabaseName
from healthguard.database.queries import problem_of
from healthguard.status import Fault, Problem
from tests.support import results
from tests.support.database_servers import MARIADB, MARIADB_INSTALL, PASSWORD, USER, MariaDB, speaking
from tests.support.driver_errors import problem_of_a_full_server, wrapped
from tests.support.fixture_types import Connect, FindProblem, RunAsService, RunCheck
from tests.support.sites import wait_until

CONFIG, OUTAGE = Fault.CONFIG, Fault.OUTAGE
DRIVERS = ["pymysql", "mysql.connector"]
ERRORS = (pymysql.Error, mysql.connector.Error)
NEW_PASSWORD = f"ALTER USER {USER}@'%' IDENTIFIED BY '{PASSWORD}' PASSWORD EXPIRE NEVER"
needs_mariadb = pytest.mark.skipif(
    MARIADB is None or MARIADB_INSTALL is None, reason="no MariaDB server here: apt-get install mariadb-server"
)


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDB]:
    """A MariaDB that the tests of this module may configure."""
    running = MariaDB()
    yield running
    running.remove()


def wait_until_closed(server: MariaDB) -> None:
    """Wait until the server has no connection of the user, because it ends one shortly after the client closes it."""
    connections = f"SELECT id FROM information_schema.processlist WHERE user = '{USER}'"
    root = pymysql.connect(host="127.0.0.1", port=server.port, user="root", autocommit=True)
    with contextlib.closing(root), root.cursor() as cursor:
        wait_until(lambda: cursor.execute(connections) == 0, cursor.fetchall)


def connect_with(driver: str, port: int, **changes: Any) -> Any:
    """Connect with a driver, by the usual options and the given ones. ``tls`` is the file of an authority."""
    options: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "user": USER,
        "password": PASSWORD,
        "database": "shop_prod",
    }
    options |= changes
    tls = options.pop("tls", None)
    if driver == "pymysql":
        if tls is not None:
            options["ssl"] = {"ca": tls, "check_hostname": True}
        return pymysql.connect(**options, connect_timeout=10, read_timeout=10)
    if tls is not None:
        options |= {"ssl_ca": tls, "ssl_verify_cert": True, "ssl_verify_identity": True}
    return mysql.connector.connect(**options, connection_timeout=10, use_pure=True)


def problem_of_connection(driver: str, port: int, **changes: Any) -> Problem:
    """Return the problem of the error that the driver raises and Django wraps."""
    with pytest.raises(ERRORS) as raised, contextlib.closing(connect_with(driver, port, **changes)) as connection:
        connection.cursor().execute("SELECT 1")
    return problem_of(wrapped(raised.value), "other")


REFUSED: dict[str, tuple[dict[str, Any], str, Fault, str]] = {
    "wrong password": ({"password": "wr0ng"}, "database_credentials", CONFIG, "password"),
    "unknown user": ({"user": "nobody_here"}, "database_credentials", CONFIG, "password"),
    "unknown database": ({"user": "root", "password": "", "database": "nope"}, "database_missing", CONFIG, "name"),
    "database of others": ({"database": "mysql"}, "database_credentials", CONFIG, "privileges"),
    "refused": ({"port": 1}, "database_unreachable", OUTAGE, "host and port"),
    "unknown host": ({"host": "nohost.invalid"}, "database_unreachable", OUTAGE, "typos"),
    "another authority": ({"tls": "{stranger}"}, "database_tls", CONFIG, "authority"),
    "certificate of another host": ({"tls": "{authority}"}, "database_tls", CONFIG, "another host"),
}


@needs_mariadb
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("case", REFUSED)
def test_refused_connection_gives_the_problem_of_its_reason(server: MariaDB, driver: str, case: str) -> None:
    changes, code, fault, words = REFUSED[case]
    files = {name: getattr(server.folder, name) for name in ("stranger", "authority")}
    changes = {name: value.format(**files) if name == "tls" else value for name, value in changes.items()}
    problem = problem_of_connection(driver, **{"port": server.port, **changes})
    assert (problem.code, problem.fault) == (code, fault), problem
    assert words in problem.message + problem.hint
    assert PASSWORD not in repr(problem)


ALTERED = {
    "account locked": ("ALTER USER app@'%' ACCOUNT LOCK", "ALTER USER app@'%' ACCOUNT UNLOCK", "locked"),
    "password expired": (
        "ALTER USER app@'%' PASSWORD EXPIRE",
        NEW_PASSWORD,
        "expired",
    ),
    "password expired, and disconnected": (
        "SET GLOBAL disconnect_on_expired_password = 1; ALTER USER app@'%' PASSWORD EXPIRE",
        f"SET GLOBAL disconnect_on_expired_password = 0; {NEW_PASSWORD}",
        "expired",
    ),
    "TLS demanded of the user": ("ALTER USER app@'%' REQUIRE X509", "ALTER USER app@'%' REQUIRE NONE", "TLS"),
}


@needs_mariadb
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("case", ALTERED)
def test_user_who_may_not_log_in_is_a_problem_of_credentials(server: MariaDB, driver: str, case: str) -> None:
    broken, repaired, words = ALTERED[case]
    server.execute(*broken.split("; "))
    try:
        problem = problem_of_connection(driver, server.port)
    finally:
        server.execute(*repaired.split("; "))
    assert (problem.code, problem.fault) == ("database_credentials", CONFIG), problem
    assert words in problem.message + problem.hint


@needs_mariadb
@pytest.mark.parametrize("driver", DRIVERS)
def test_server_without_a_free_connection_is_an_outage(server: MariaDB, driver: str) -> None:
    with contextlib.ExitStack() as taken:
        with contextlib.suppress(pymysql.Error):
            while True:
                taken.enter_context(contextlib.closing(connect_with("pymysql", server.port)))
        problem = problem_of_a_full_server(lambda: connect_with(driver, server.port), ERRORS)
    assert (problem.code, problem.fault) == ("database_connections_exhausted", OUTAGE)


@needs_mariadb
@pytest.mark.parametrize("driver", DRIVERS)
def test_connection_limit_of_a_user_is_an_outage(server: MariaDB, driver: str) -> None:
    wait_until_closed(server)
    server.execute(f"ALTER USER {USER}@'%' WITH MAX_USER_CONNECTIONS 1")
    try:
        with contextlib.closing(connect_with("pymysql", server.port)):
            problem = problem_of_connection(driver, server.port)
    finally:
        server.execute(f"ALTER USER {USER}@'%' WITH MAX_USER_CONNECTIONS 0")
    assert (problem.code, problem.fault) == ("database_connections_exhausted", OUTAGE)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    "greeting",
    [b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", b"-ERR no\r\n"],
    ids=["HTTP", "SSH", "Redis"],
)
def test_port_of_another_service_is_reported(driver: str, greeting: bytes) -> None:
    with speaking(greeting) as port:
        problem = problem_of_connection(driver, port)
    assert problem.code in ("database_protocol", "database_unreachable"), problem


@pytest.mark.parametrize(
    ("number", "code", "fault"),
    [
        (1130, "database_credentials", CONFIG),
        (1129, "database_credentials", CONFIG),
        (1203, "database_connections_exhausted", OUTAGE),
        (1040, "database_connections_exhausted", OUTAGE),
        (1698, "database_credentials", CONFIG),
        (2026, "database_tls", CONFIG),
        (3159, "database_tls", CONFIG),
        (2006, "database_unreachable", OUTAGE),
        (2013, "database_unreachable", OUTAGE),
        (1053, "database_starting", OUTAGE),
        (1047, "database_starting", OUTAGE),
        (1205, "database_timeout", OUTAGE),
        (1213, "database_error", OUTAGE),
        (1142, "database_permission", CONFIG),
        (2054, "database_refused", CONFIG),
        (1290, "database_read_only", CONFIG),
        (9001, "database_timeout", OUTAGE),
        (1251, "database_credentials", CONFIG),
        (2002, "database_unreachable", OUTAGE),
        (1999, "database_error", CONFIG),
    ],
)
@pytest.mark.parametrize("text", ["in English", "en français", "日本語"])
def test_error_number_decides_in_every_language(number: int, code: str, fault: Fault, text: str) -> None:
    """The text of an error is in the language of the server. These errors cannot be provoked with the server here."""
    error = django.db.OperationalError()
    error.__cause__ = pymysql.err.OperationalError(number, text)
    problem = problem_of(error, "default")
    assert (problem.code, problem.fault) == (code, fault)


@needs_mariadb
@pytest.mark.parametrize(
    ("expected", "code"), [("Shop_Prod", None), ("shop_prod", None), ("SHOP_PROD", None), ("shop", "wrong_database")]
)
def test_case_of_a_name_is_ignored_if_the_server_ignores_it(
    server: MariaDB, connect: Connect, result: RunCheck, mysqlclient: None, expected: str, code: str | None
) -> None:
    alias = connect(f"mysql://{USER}:{PASSWORD}@127.0.0.1:{server.port}/Shop_Prod")
    outcome = result(DatabaseName(expected, alias))
    assert (outcome.problem and outcome.problem.code) == code, outcome


@pytest.mark.mariadb
def test_case_of_a_name_is_compared_if_the_server_compares_it(
    connect: Connect, problem: FindProblem, mariadb: str
) -> None:
    name = mariadb.rpartition("/")[2]
    assert problem(DatabaseName(name.upper(), connect(mariadb))).code == "wrong_database"


def test_case_of_a_name_is_ignored_if_no_server_responds(
    connect: Connect, problem: FindProblem, mysqlclient: None
) -> None:
    alias = connect("mysql://app@127.0.0.1:1/shop_prod")
    assert problem(DatabaseName("Shop_Prod", alias)).code == "database_unreachable"
    assert problem(DatabaseName("landing", alias)).code == "wrong_database"


UNACCEPTABLE: dict[str, tuple[dict[str, Any], str]] = {
    "missing authority": ({"ssl": {"ca": "/no/such/ca.pem"}}, "database_tls"),
    "authority of nonsense": ({"ssl": {"ca": "{nonsense}"}}, "database_tls"),
    "unknown option": ({"no_such_option": 1}, "database_options"),
    "unknown character set": ({"charset": "utf99"}, "database_options"),
}


@needs_mariadb
@pytest.mark.parametrize("path", ["healthguard.checks.RequiredTables", "health_check.checks.Database"])
@pytest.mark.parametrize("case", UNACCEPTABLE)
def test_option_that_the_driver_does_not_accept_is_reported(
    server: MariaDB, connect: Connect, run_as_a_service: RunAsService, mysqlclient: None, case: str, path: str
) -> None:
    """The driver raises a TypeError or an OSError for such an option, and Django does not wrap it."""
    options, code = UNACCEPTABLE[case]
    if "ssl" in options:
        options = {"ssl": {"ca": options["ssl"]["ca"].format(nonsense=server.folder.nonsense)}}
    alias = connect(f"mysql://{USER}:{PASSWORD}@127.0.0.1:{server.port}/shop_prod", OPTIONS=options)
    arguments = {"tables": ["t"], "alias": alias} if "Tables" in path else {"alias": alias}
    (outcome,) = run_as_a_service((path, arguments))
    problem = results.problem_of(outcome)
    assert (problem.code, problem.fault) == (code, CONFIG), outcome
