"""The problems that errors of a database mean, as data."""

from __future__ import annotations

import dataclasses

from healthguard.status import Fault


@dataclasses.dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of some errors.

    Args:
        code: the problem's code.
        fault: the problem's fault.
        message: a clause that continues "Database 'default' …".
        hint: the remedy.
        sqlstates: SQLSTATEs, or their classes (two characters).
        numbers: the error numbers of MySQL, MariaDB and their clients.
        sqlite: SQLite's primary result codes.
        text: a pattern for the text where the driver gives neither, as psycopg for what happens while connecting.
        key: the key of its translated texts, if it is not the code.
    """

    code: str
    fault: Fault
    message: str
    hint: str
    sqlstates: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    sqlite: tuple[int, ...] = ()
    text: str = ""
    key: str = ""


FAILED = Meaning(
    "database_error",
    Fault.CONFIG,
    "refuses the check's query",
    "Read the server's log: it names the statement and the reason. A table or a column that it needs may be missing.",
    sqlstates=("42P01", "42703"),
    numbers=(1054, 1064, 1146),
    text=r"^no such (table|column|function)",
)
REFUSED = Meaning(
    "database_refused",
    Fault.CONFIG,
    "refuses the connection",
    "Read the log of the server, or of the pooler or proxy before it: it names the reason. The same error appears when "
    "you connect with 'python manage.py dbshell'.",
    sqlstates=("08",),
)
MISSING = Meaning(
    "database_missing",
    Fault.CONFIG,
    "does not exist on its server",
    "Check the name in DATABASE_URL or DATABASES: the server answers, but has no database of that name. Behind a "
    "pooler the name must be one of the pooler's.",
    sqlstates=("3D000", "57P04"),
    numbers=(1049,),
    text=r'database ".*" does not exist|no such database|bouncer config error',
)
MISSING_FILE = dataclasses.replace(
    MISSING,
    message="does not exist: there is no such file",
    hint="Check the path in DATABASE_URL or DATABASES, and whether the volume is mounted. If the database is new, run "
    "'python manage.py migrate'.",
)
MISSING_FOLDER = dataclasses.replace(
    MISSING,
    message="does not exist: the folder of its file does not exist",
    hint="Check the path in DATABASE_URL or DATABASES, and whether the volume is mounted.",
)
UNREADABLE_FILE = Meaning(
    "database_unreadable",
    Fault.CONFIG,
    "has a file that cannot be opened",
    "Give the user of this process the right to read the file and its folder, or check the path in DATABASES.",
    sqlite=(3, 14, 23),
)
UNREADABLE_WAL = Meaning(
    "database_unreadable",
    Fault.CONFIG,
    "is a SQLite file in WAL mode in a folder that cannot be written to, so it cannot be opened",
    "Make the volume writable, or copy the file there after 'PRAGMA journal_mode=DELETE': to read a file in WAL mode, "
    "SQLite writes beside it.",
)
TLS = Meaning(
    "database_tls",
    Fault.CONFIG,
    "has a server whose TLS certificate is not accepted, or with which no TLS connection can be agreed on",
    "Check sslmode, sslrootcert or ssl_ca in DATABASE_URL or OPTIONS: the authority must be the one that issued the "
    "server's certificate, and the certificate must be current and name the host.",
    numbers=(2026,),
    text=r"certificate[ _]verify[ _]failed|CERTIFICATE_VERIFY_FAILED|could not establish SSL"
    r"|SSL error(?!: unexpected eof)|SSL(V3)?_ALERT|could not create SSL context"
    r"|channel binding (is )?required|\[SSL[:\]]|GSSAPI encryption required"
    r"|WRONG_VERSION_NUMBER|tlsv1[\d ]* alert|bad certificate|certificates? can only be checked"
    r"|client certificate (required|is required)|connection requires a valid client certificate",
)
TLS_HOST = dataclasses.replace(
    TLS,
    message="has a server whose TLS certificate is for another host",
    hint="Use the host name that the server's certificate names, or have a certificate issued for this one.",
    numbers=(),
    text=r"certificate for \".*\" .*does not match host name|(hostname|IP address) mismatch|hostname doesn't match"
    r"|not valid for '",
)
TLS_FILE = dataclasses.replace(
    TLS,
    message="cannot be connected to, because a file for TLS does not exist or cannot be read",
    hint="Check the paths in sslrootcert, sslcert and sslkey, or in OPTIONS['ssl'], and whether the Secret or volume "
    "is mounted there.",
    numbers=(),
    text=r"root certificate file \".*\" does not exist|could not (read|open|load|stat) (root )?(certificate|private)"
    r"|Invalid (CA Certificate|Certificate/Key)|private key file|home directory to locate root certificate"
    r"|SSL_CTX_set_default_verify_paths failed|certificate present, but not private key"
    r"|SSL certificate validation failure",
)
TLS_NOT_OFFERED = dataclasses.replace(
    TLS,
    message="has a server that does not offer TLS, but the settings require it",
    hint="Turn TLS on at the server or pooler. If the connection needs none, set sslmode=prefer, or remove ssl from "
    "OPTIONS.",
    numbers=(),
    text=r"server does not support SSL|SSL not supported by (the )?server|server doesn't support SSL"
    r"|SSL is required, but the server does not support it",
    key="tls_not_offered",
)
TLS_REQUIRED = dataclasses.replace(
    TLS,
    message="has a server that does not accept this connection, which the settings make without TLS",
    hint="Set sslmode=require in DATABASE_URL or OPTIONS, or ssl for MySQL and MariaDB: the server may accept only "
    "connections with TLS. Otherwise add an entry for this user, database and host to pg_hba.conf.",
    numbers=(3159,),
    text=r"(SSL|TLS)( connection)? (is )?required|connection is insecure|insecure transport"
    r"|requires? (a )?(secure|SSL|TLS|encrypted) |require_secure_transport",
)
HBA = Meaning(
    "database_credentials",
    Fault.CONFIG,
    "has a server whose access rules (pg_hba.conf) refuse this user, database and host",
    "Check the user, the database and the host in DATABASE_URL or DATABASES. If they are right, add an entry to "
    "pg_hba.conf; if the server accepts only TLS, set sslmode=require.",
    text=r"pg_hba\.conf",
)
HOST_NOT_ALLOWED = Meaning(
    "database_credentials",
    Fault.CONFIG,
    "has a server that does not accept connections from this host",
    "Create the user for this host (user@'%'), and check the address that the server sees. After too many failed "
    "connections run 'mariadb-admin flush-hosts'.",
    numbers=(1129, 1130),
)
LOCKED_ACCOUNT = Meaning(
    "database_credentials",
    Fault.CONFIG,
    "refuses the user, whose account is locked or whose password has expired",
    "Unlock the account (ALTER USER … ACCOUNT UNLOCK) or set a new password (ALTER USER … IDENTIFIED BY …).",
    numbers=(1820, 1862, 3118, 3955, 4151),
    text=r"account is (locked|disabled)|account has been (locked|disabled)|password (has|is) expired",
)
NOT_GRANTED = Meaning(
    "database_credentials",
    Fault.CONFIG,
    "does not let its user connect to it",
    "Grant the user access: CONNECT on the database and LOGIN to the role in PostgreSQL, privileges on the database in "
    "MySQL and MariaDB. Or check the user and the database in DATABASE_URL or DATABASES.",
    numbers=(1044,),
    text=r"permission denied for database|is not permitted to log in",
)
CREDENTIALS = Meaning(
    "database_credentials",
    Fault.CONFIG,
    "refuses the user or the password",
    "Check the user and the password in DATABASE_URL or DATABASES, and the Secret they are mounted from. In MariaDB "
    "and MySQL the user may also be limited to another host, or to TLS.",
    sqlstates=("28", "28000", "28P01"),
    numbers=(1045, 1251, 1275, 1524, 1698, 2059, 2061),
    text=r"password authentication failed|no password supplied|role \".*\" does not exist|Access denied for user"
    r"|authentication failed|no such user|auth(entication)? (error|failure|failed|rejected)|login rejected|SASL auth"
    r"|Tenant or user not found|tenant/user .* not found|wrong password|incorrect server signature"
    r"|could not verify server signature|(login|logon) (failed|denied)|invalid username",
)
PERMISSION = Meaning(
    "database_permission",
    Fault.CONFIG,
    "does not let its user read what the check needs",
    "Grant the user SELECT on the tables, and USAGE on their schema.",
    sqlstates=("42501",),
    numbers=(1142, 1143, 1227, 1370),
)
CLOSED = Meaning(
    "database_closed",
    Fault.CONFIG,
    "is closed to all connections",
    "Open it again: ALTER DATABASE … ALLOW_CONNECTIONS true, or ENABLE in PgBouncer's console. A database that "
    "was replaced may have been closed on purpose: check the name.",
    text=r"is not currently accepting connections|database .* is disabled|endpoint .*disabled"
    r"|does not allow connections",
)
OPTIONS = Meaning(
    "database_options",
    Fault.CONFIG,
    "cannot be connected to with the options in the settings: the driver or the server does not accept one of them",
    "Check DATABASE_URL and OPTIONS: each option must be one that the driver knows, with a valid value. A pooler "
    "refuses options that are sent to the server.",
    numbers=(1115, 1193, 1231, 1273, 2019),
    text=r"invalid (connection option|integer value|port number|URI|dsn|percent-encoded|IPv6|value for)"
    r"|invalid \"?\w+\"? value:|missing \"=\" after|unsupported startup parameter|unrecognized configuration parameter"
    r"|could not match \d+ (host|port)|Unix-domain socket path \".*\" is too long|invalid value for parameter"
    r"|is not supported when|unsupported (option|argument)|character set '.*' unsupported|unsupported charset"
    r"|invalid command-line argument|unterminated quoted string in connection info",
)
SERVICE = dataclasses.replace(
    OPTIONS,
    message="cannot be connected to, because libpq's service file does not define the service that the settings name",
    hint="Check the option service, and the file that PGSERVICEFILE names or ~/.pg_service.conf: is it mounted?",
    numbers=(),
    text=r"definition of service|service file",
    key="database_options",
)
ROLE = Meaning(
    "database_refused",
    Fault.OUTAGE,
    "has no server of the kind that target_session_attrs demands",
    "Wait if a failover is in progress. Otherwise check the hosts and target_session_attrs in the settings.",
    text=r"session is (not )?read-only|server is (not )?in hot standby mode",
)
BEHIND_POOLER = Meaning(
    "database_refused",
    Fault.OUTAGE,
    "is served by a pooler that cannot log in to the server behind it",
    "Read the pooler's log: it names the reason. The server may be down, or not accept the pooler's user or database.",
    text=r"server_login_retry|server login (has been failing|failed)|server_connect_timeout|cannot connect to server",
)
PROTOCOL = Meaning(
    "database_protocol",
    Fault.CONFIG,
    "cannot be spoken to: what answers at its host and port is not a database server of its kind",
    "Check the host, the port and the ENGINE in DATABASE_URL or DATABASES: another service listens there.",
    numbers=(1156, 1157, 2007, 2012, 2027),
    text=r"invalid response to (SSL|GSSAPI) negotiation|expected authentication request|packet sequence number wrong"
    r"|Packets out of order|malformed packet|Protocol mismatch|unsupported frontend protocol|protocol version"
    r"|unexpected message from server during startup|lost synchronization with server|Bad handshake"
    r"|unexpected response from server|bytes wrong|index out of range|Wrong authentication",
)
FULL = Meaning(
    "database_full",
    Fault.OUTAGE,
    "accepts no more connections",
    "Find out what holds the connections (pg_stat_activity, SHOW PROCESSLIST, SHOW CLIENTS in PgBouncer's console). "
    "Add a pooler, or raise the limit: max_connections, max_client_conn, or that of the user or database.",
    sqlstates=("53300",),
    numbers=(1040, 1203, 1226, 1461),
    text=r"too many (clients|connections)|remaining connection slots are reserved|no more connections allowed"
    r"|max_client_conn|max clients reached|max_(db|user)_connections|connection limit"
    r"|pool (is )?exhausted|QueuePool limit",
)
STARTING = Meaning(
    "database_starting",
    Fault.OUTAGE,
    "has a server that is starting up, shutting down or recovering",
    "Wait until the server accepts connections. If it does not, read its log.",
    sqlstates=("57P01", "57P02", "57P03"),
    numbers=(1047, 1053, 1077, 1078, 1079),
    text=r"the database system is|pooler is shut down|bouncer is (shut|clos)|shutdown in progress",
)
READ_ONLY = Meaning(
    "database_read_only",
    Fault.CONFIG,
    "does not accept writes",
    "Check whether it is a standby or was made read-only on purpose. For SQLite, check who may write to the file and "
    "to its folder.",
    sqlstates=("25006",),
    numbers=(1290, 1792, 1836),
    sqlite=(8,),
    text=r"read-only transaction|readonly database",
)
TIMEOUT = Meaning(
    "database_timeout",
    Fault.OUTAGE,
    "took too long to answer",
    "Check the server for a lock and for load. If it never answers, check whether a firewall drops the packets.",
    sqlstates=("55P03", "57014", "57P05", "25P03"),
    numbers=(1205, 1969, 3024, 2062, 9001),
    sqlite=(5, 6, 9),
    text=r"timeout expired|timed out|database (table )?is locked|connection timeout|timeout was reached|login timeout"
    r"|query_wait_timeout|client_login_timeout|timeout reached|couldn't get a connection after",
)
UNKNOWN_HOST = Meaning(
    "database_unreachable",
    Fault.OUTAGE,
    "cannot be reached: its host name cannot be resolved",
    "Check the host in DATABASE_URL or DATABASES for a typing error, and the service of that name. If both are right, "
    "the name server is down.",
    numbers=(2005,),
    text=r"failed to resolve host|could not translate host name|name or service not known|nodename nor servname"
    r"|temporary failure in name resolution|no address associated with hostname|getaddrinfo"
    r"|unknown (MySQL server )?host|name does not resolve|host not found|no such host",
    key="database_unknown_host",
)
DISCONNECTED = Meaning(
    "database_unreachable",
    Fault.OUTAGE,
    "cannot be reached: the connection was closed without an answer",
    "Read the server's log: it may have been restarted. If it happens each time, check whether the host and port lead "
    "to another service, or to a load balancer or proxy without a server behind it.",
    sqlstates=("08003", "08006"),
    numbers=(1152, 1158, 1184, 1159, 1160, 1161, 1927, 2006, 2013, 4031),
    text=r"server closed the connection|connection (is|already|was|has been) (closed|lost)|terminating connection"
    r"|connection reset|broken pipe|EOF detected|unexpected eof|lost connection|the connection is lost"
    r"|server conn crashed|connection not open|server has gone away",
    key="database_disconnected",
)
CORRUPT = Meaning(
    "database_corrupt",
    Fault.CONFIG,
    "is damaged",
    "Restore it from a backup. Read the server's log first: it names the file.",
    sqlstates=("XX001", "XX002"),
    numbers=(1034, 1035, 1194, 1195, 1712),
    sqlite=(11,),
    text=r"cannot connect to invalid database",
)
NOT_A_DATABASE = Meaning(
    "database_corrupt",
    Fault.CONFIG,
    "has a file that is not a SQLite database, or is encrypted",
    "Check the path in DATABASE_URL or DATABASES, and what was put there: restore the file from a backup.",
    sqlite=(26,),
)
DISK = Meaning(
    "database_error",
    Fault.OUTAGE,
    "has run out of disk space, memory or other resources, or cannot use its disk",
    "Check the space, the memory and the health of the volumes where the server keeps its data.",
    sqlstates=("53", "58"),
    numbers=(1021, 1030, 1037, 1041, 1114, 1135),
    sqlite=(7, 10, 13),
    text=r"too many open files|out of memory",
)
CONFLICT = Meaning(
    "database_error",
    Fault.OUTAGE,
    "ended the check's query because of another transaction",
    "Nothing is to be done if it does not last. Otherwise find out what else the server is doing.",
    sqlstates=("40",),
    numbers=(1020, 1213, 1317),
)
NOT_PERMITTED = Meaning(
    "database_refused",
    Fault.CONFIG,
    "cannot be connected to, because the operating system does not permit it",
    "Give the user of this process access to the server's socket, or check the policy of the firewall or container.",
    text=r"failed: (permission denied|operation not permitted)|errno (1|13)\b|socket '.*' \((1|13)\)",
)
UNREACHABLE = Meaning(
    "database_unreachable",
    Fault.OUTAGE,
    "cannot be reached",
    "Check whether the server runs, and whether the host and port in DATABASE_URL or DATABASES lead to it from here.",
    text=r"connection refused|no route to host|network is unreachable|host is unreachable|host is down"
    r"|is the server running|no listener",
)

MEANINGS = (
    *(FAILED, TLS_HOST, TLS_FILE, TLS_NOT_OFFERED, TLS_REQUIRED, TLS, HBA, NOT_GRANTED, LOCKED_ACCOUNT, CREDENTIALS),
    *(
        MISSING,
        CLOSED,
        HOST_NOT_ALLOWED,
        PERMISSION,
        SERVICE,
        OPTIONS,
        FULL,
        STARTING,
        PROTOCOL,
        ROLE,
        READ_ONLY,
        BEHIND_POOLER,
    ),
    *(TIMEOUT, CONFLICT, CORRUPT, NOT_A_DATABASE, DISK, UNREADABLE_FILE, UNKNOWN_HOST, DISCONNECTED, NOT_PERMITTED),
    UNREACHABLE,
    REFUSED,
)
"""In the order in which texts are compared: what was put into words comes before what was not reached."""
