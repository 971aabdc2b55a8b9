"""A table of the problems that database errors are reported as."""

from __future__ import annotations

import dataclasses

from healthguard.status import Code, Fault


@dataclasses.dataclass(frozen=True, slots=True)
class Meaning:
    """The problem that a group of errors is reported as.

    Args:
        code: the problem's code.
        fault: the problem's fault.
        message: the problem's message, a format string. ``{database}`` is the alias in quotes with the address of the
            database, ``{server}`` is the address without the name of the database, and ``{named}`` refers to the name
            of the database.
        hint: the remedy.
        sqlstates: SQLSTATEs, or SQLSTATE classes (two characters).
        numbers: the error numbers of MySQL, MariaDB and their clients.
        sqlite: SQLite's primary result codes.
        text: a regular expression for the error's text, if the driver provides neither an SQLSTATE nor a number.
            psycopg provides neither for errors while connecting.
        key: the key of the translated texts, if it differs from the code.
    """

    code: Code
    fault: Fault
    message: str
    hint: str
    sqlstates: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    sqlite: tuple[int, ...] = ()
    text: str = ""
    key: str = ""


FAILED = Meaning(
    Code.DATABASE_ERROR,
    Fault.CONFIG,
    "Database {database} rejected the check's query.",
    "Check the server's log, which contains the statement and the reason. A table or column that the query needs may "
    "be missing.",
    sqlstates=("42P01", "42703"),
    numbers=(1054, 1064, 1146),
    text=r"^no such (table|column|function)",
)
REFUSED = Meaning(
    Code.DATABASE_REFUSED,
    Fault.CONFIG,
    "Database {database} refused the connection.",
    "Check the log of the server, or of the pooler or proxy in front of it, for the reason. Run 'python manage.py "
    "dbshell' to reproduce the error.",
    sqlstates=("08",),
)
MISSING = Meaning(
    Code.DATABASE_MISSING,
    Fault.CONFIG,
    "The server{server} has no database {named}.",
    "Check the name in DATABASE_URL or DATABASES: the server is reachable, but the database does not exist there. "
    "Behind a pooler, the name must be one that the pooler's configuration defines.",
    sqlstates=("3D000", "57P04"),
    numbers=(1049,),
    text=r'database ".*" does not exist|no such database|bouncer config error',
)
MISSING_FILE = dataclasses.replace(
    MISSING,
    message="SQLite database {database} does not exist: no such file.",
    hint="Check the path in DATABASE_URL or DATABASES, and check that the volume is mounted. If the database is new, "
    "run 'python manage.py migrate'.",
)
MISSING_FOLDER = dataclasses.replace(
    MISSING,
    message="SQLite database {database} does not exist: its folder does not exist.",
    hint="Check the path in DATABASE_URL or DATABASES, and check that the volume is mounted.",
)
UNREADABLE_FILE = Meaning(
    Code.DATABASE_UNREADABLE,
    Fault.CONFIG,
    "The file of database {database} cannot be opened.",
    "Give the user of this process permission to read the file and its folder, or check the path in DATABASES.",
    sqlite=(3, 14, 23),
)
UNREADABLE_WAL = Meaning(
    Code.DATABASE_UNREADABLE,
    Fault.CONFIG,
    "SQLite database {database} cannot be opened: its file is in WAL mode and its folder is not writable.",
    "Make the volume writable, or run 'PRAGMA journal_mode=DELETE' before you copy the file there. In WAL mode, SQLite "
    "creates files next to the database even to read it.",
)
TLS = Meaning(
    Code.DATABASE_TLS,
    Fault.CONFIG,
    "No TLS connection to database {database} could be established: the server's certificate was rejected, or the TLS "
    "handshake failed.",
    "Check sslmode, sslrootcert or ssl_ca in DATABASE_URL or OPTIONS. The certificate authority must be the one that "
    "issued the server's certificate, and the certificate must be currently valid and contain the host name.",
    numbers=(2026,),
    text=r"certificate[ _]verify[ _]failed|CERTIFICATE_VERIFY_FAILED|could not establish SSL"
    r"|SSL error(?!: unexpected eof)|SSL(V3)?_ALERT|could not create SSL context"
    r"|channel binding (is )?required|\[SSL[:\]]|GSSAPI encryption required"
    r"|WRONG_VERSION_NUMBER|tlsv1[\d ]* alert|bad certificate|certificates? can only be checked"
    r"|client certificate (required|is required)|connection requires a valid client certificate",
)
TLS_HOST = dataclasses.replace(
    TLS,
    message="The server of database {database} has a TLS certificate that was issued for another host.",
    hint="Use a host name that the server's certificate contains, or have a certificate issued for this host name.",
    numbers=(),
    text=r"certificate for \".*\" .*does not match host name|(hostname|IP address) mismatch|hostname doesn't match"
    r"|not valid for '",
)
TLS_FILE = dataclasses.replace(
    TLS,
    message="Cannot connect to database {database}: a TLS file does not exist or cannot be read.",
    hint="Check the paths in sslrootcert, sslcert and sslkey, or in OPTIONS['ssl'], and check that the Secret or "
    "volume is mounted there.",
    numbers=(),
    text=r"root certificate file \".*\" does not exist|could not (read|open|load|stat) (root )?(certificate|private)"
    r"|Invalid (CA Certificate|Certificate/Key)|private key file|home directory to locate root certificate"
    r"|SSL_CTX_set_default_verify_paths failed|certificate present, but not private key"
    r"|SSL certificate validation failure",
)
TLS_NOT_OFFERED = dataclasses.replace(
    TLS,
    message="The server of database {database} does not offer TLS, but the settings require it.",
    hint="Enable TLS on the server or pooler. If the connection does not need TLS, set sslmode=prefer, or remove ssl "
    "from OPTIONS.",
    numbers=(),
    text=r"server does not support SSL|SSL not supported by (the )?server|server doesn't support SSL"
    r"|SSL is required, but the server does not support it",
    key="tls_not_offered",
)
TLS_REQUIRED = dataclasses.replace(
    TLS,
    message="The server of database {database} rejected the connection, which the settings configure without TLS.",
    hint="Set sslmode=require in DATABASE_URL or OPTIONS (for MySQL and MariaDB: ssl), because the server may accept "
    "only TLS connections. Otherwise add an entry for this user, database and host to pg_hba.conf.",
    numbers=(3159,),
    text=r"(SSL|TLS)( connection)? (is )?required|connection is insecure|insecure transport"
    r"|requires? (a )?(secure|SSL|TLS|encrypted) |require_secure_transport",
)
HBA = Meaning(
    Code.DATABASE_CREDENTIALS,
    Fault.CONFIG,
    "The server of database {database} has access rules (pg_hba.conf) that reject this user, database and host.",
    "Check the user, the database and the host in DATABASE_URL or DATABASES. If they are correct, add an entry to "
    "pg_hba.conf. If the server accepts only TLS, set sslmode=require.",
    text=r"pg_hba\.conf",
)
HOST_NOT_ALLOWED = Meaning(
    Code.DATABASE_CREDENTIALS,
    Fault.CONFIG,
    "The server of database {database} does not accept connections from this host.",
    "Create the user for this host (user@'%'), and check which client address the server sees. After too many failed "
    "connections, run 'mariadb-admin flush-hosts'.",
    numbers=(1129, 1130),
)
LOCKED_ACCOUNT = Meaning(
    Code.DATABASE_CREDENTIALS,
    Fault.CONFIG,
    "The server of database {database} rejected the user: the account is locked or the password has expired.",
    "Unlock the account (ALTER USER … ACCOUNT UNLOCK), or set a new password (ALTER USER … IDENTIFIED BY …).",
    numbers=(1820, 1862, 3118, 3955, 4151),
    text=r"account is (locked|disabled)|account has been (locked|disabled)|password (has|is) expired",
)
NOT_GRANTED = Meaning(
    Code.DATABASE_CREDENTIALS,
    Fault.CONFIG,
    "The user in the settings does not have permission to connect to database {database}.",
    "Check the user and the database in DATABASE_URL or DATABASES. If they are correct, grant the user access: in "
    "PostgreSQL, CONNECT on the database and LOGIN for the role; in MySQL and MariaDB, privileges on the database.",
    numbers=(1044,),
    text=r"permission denied for database|is not permitted to log in",
)
CREDENTIALS = Meaning(
    Code.DATABASE_CREDENTIALS,
    Fault.CONFIG,
    "The server of database {database} rejected the user or the password.",
    "Check the user and the password in DATABASE_URL or DATABASES, and the Secret they are mounted from. In MariaDB "
    "and MySQL, the user may also be restricted to another host or to TLS connections.",
    sqlstates=("28", "28000", "28P01"),
    numbers=(1045, 1251, 1275, 1524, 1698, 2059, 2061),
    text=r"password authentication failed|no password supplied|role \".*\" does not exist|Access denied for user"
    r"|authentication failed|no such user|auth(entication)? (error|failure|failed|rejected)|login rejected|SASL auth"
    r"|Tenant or user not found|tenant/user .* not found|wrong password|incorrect server signature"
    r"|could not verify server signature|(login|logon) (failed|denied)|invalid username",
)
PERMISSION = Meaning(
    Code.DATABASE_PERMISSION,
    Fault.CONFIG,
    "The user of database {database} does not have permission to read the data that the check needs.",
    "Grant the user SELECT on the tables and USAGE on their schema.",
    sqlstates=("42501",),
    numbers=(1142, 1143, 1227, 1370),
)
CLOSED = Meaning(
    Code.DATABASE_CLOSED,
    Fault.CONFIG,
    "Database {database} is configured to accept no connections.",
    "Check the name: a database that was replaced may have been closed on purpose. To open the database again, run "
    "ALTER DATABASE … ALLOW_CONNECTIONS true, or ENABLE in PgBouncer's console.",
    text=r"is not currently accepting connections|database .* is disabled|endpoint .*disabled"
    r"|does not allow connections",
)
OPTIONS = Meaning(
    Code.DATABASE_OPTIONS,
    Fault.CONFIG,
    "Cannot connect to database {database}: the driver or the server rejected a connection option from the settings.",
    "Check DATABASE_URL and OPTIONS: each option must be one that the driver supports, with a valid value. A pooler "
    "rejects options that the driver sends to the server.",
    numbers=(1115, 1193, 1231, 1273, 2019),
    text=r"invalid (connection option|integer value|port number|URI|dsn|percent-encoded|IPv6|value for)"
    r"|invalid \"?\w+\"? value:|missing \"=\" after|unsupported startup parameter|unrecognized configuration parameter"
    r"|could not match \d+ (host|port)|Unix-domain socket path \".*\" is too long|invalid value for parameter"
    r"|is not supported when|unsupported (option|argument)|character set '.*' unsupported|unsupported charset"
    r"|invalid command-line argument|unterminated quoted string in connection info",
)
SERVICE = dataclasses.replace(
    OPTIONS,
    message="Cannot connect to database {database}: libpq's service file does not define the service in the settings.",
    hint="Check the 'service' option. Check that the service file (PGSERVICEFILE or ~/.pg_service.conf) is mounted and "
    "defines this service.",
    numbers=(),
    text=r"definition of service|service file",
    key=Code.DATABASE_OPTIONS,
)
ROLE = Meaning(
    Code.DATABASE_REFUSED,
    Fault.OUTAGE,
    "Database {database} has no server in the state that target_session_attrs requires.",
    "Wait if a failover is in progress. Otherwise check the hosts and target_session_attrs in the settings.",
    text=r"session is (not )?read-only|server is (not )?in hot standby mode",
)
BEHIND_POOLER = Meaning(
    Code.DATABASE_REFUSED,
    Fault.OUTAGE,
    "The pooler of database {database} cannot log in to the server behind it.",
    "Check the pooler's log for the reason. The server may be down, or may reject the pooler's user or database.",
    text=r"server_login_retry|server login (has been failing|failed)|server_connect_timeout|cannot connect to server",
)
PROTOCOL = Meaning(
    Code.DATABASE_PROTOCOL,
    Fault.CONFIG,
    "The service at the host and port of database {database} is not a database server of the configured kind.",
    "Check the host, the port and the ENGINE in DATABASE_URL or DATABASES: another service is listening there.",
    numbers=(1156, 1157, 2007, 2012, 2027),
    text=r"invalid response to (SSL|GSSAPI) negotiation|expected authentication request|packet sequence number wrong"
    r"|Packets out of order|malformed packet|Protocol mismatch|unsupported frontend protocol|protocol version"
    r"|unexpected message from server during startup|lost synchronization with server|Bad handshake"
    r"|unexpected response from server|bytes wrong|index out of range|Wrong authentication",
)
FULL = Meaning(
    Code.DATABASE_CONNECTIONS_EXHAUSTED,
    Fault.OUTAGE,
    "Database {database} accepts no more connections: a connection limit is reached.",
    "Check which clients hold the connections (pg_stat_activity, SHOW PROCESSLIST, SHOW CLIENTS in PgBouncer's "
    "console). Add a pooler, or raise the limit: max_connections, max_client_conn, or the limit of the user or "
    "database.",
    sqlstates=("53300",),
    numbers=(1040, 1203, 1226, 1461),
    text=r"too many (clients|connections)|remaining connection slots are reserved|no more connections allowed"
    r"|max_client_conn|max clients reached|max_(db|user)_connections|connection limit"
    r"|pool (is )?exhausted|QueuePool limit",
)
STARTING = Meaning(
    Code.DATABASE_STARTING,
    Fault.OUTAGE,
    "The server of database {database} is starting up, shutting down or recovering.",
    "Wait until the server accepts connections. If it does not, check its log.",
    sqlstates=("57P01", "57P02", "57P03"),
    numbers=(1047, 1053, 1077, 1078, 1079),
    text=r"the database system is|pooler is shut down|bouncer is (shut|clos)|shutdown in progress",
)
READ_ONLY = Meaning(
    Code.DATABASE_READ_ONLY,
    Fault.CONFIG,
    "Database {database} does not accept writes.",
    "Check whether it is a standby or was made read-only on purpose. For SQLite, check the write permissions of the "
    "file and its folder.",
    sqlstates=("25006",),
    numbers=(1290, 1792, 1836),
    sqlite=(8,),
    text=r"read-only transaction|readonly database",
)
TIMEOUT = Meaning(
    Code.DATABASE_TIMEOUT,
    Fault.OUTAGE,
    "Database {database} took too long to respond.",
    "Check the server for locks and high load. If it never responds, check whether a firewall drops the packets.",
    sqlstates=("55P03", "57014", "57P05", "25P03"),
    numbers=(1205, 1969, 3024, 2062, 9001),
    sqlite=(5, 6, 9),
    text=r"timeout expired|timed out|database (table )?is locked|connection timeout|timeout was reached|login timeout"
    r"|query_wait_timeout|client_login_timeout|timeout reached|couldn't get a connection after",
)
UNKNOWN_HOST = Meaning(
    Code.DATABASE_UNREACHABLE,
    Fault.OUTAGE,
    "Database {database} cannot be reached: its host name cannot be resolved.",
    "Check the host in DATABASE_URL or DATABASES for typos, and check that a service with that name exists. If both "
    "are correct, check whether the name server (DNS) is down.",
    numbers=(2005,),
    text=r"failed to resolve host|could not translate host name|name or service not known|nodename nor servname"
    r"|temporary failure in name resolution|no address associated with hostname|getaddrinfo"
    r"|unknown (MySQL server )?host|name does not resolve|host not found|no such host",
    key="database_unknown_host",
)
DISCONNECTED = Meaning(
    Code.DATABASE_UNREACHABLE,
    Fault.OUTAGE,
    "Database {database} cannot be reached: the connection was closed without a response.",
    "Check the server's log: it may have been restarted. If this happens every time, check whether the host and port "
    "lead to another service, or to a load balancer or proxy without a server behind it.",
    sqlstates=("08003", "08006"),
    numbers=(1152, 1158, 1184, 1159, 1160, 1161, 1927, 2006, 2013, 4031),
    text=r"server closed the connection|connection (is|already|was|has been) (closed|lost)|terminating connection"
    r"|connection reset|broken pipe|EOF detected|unexpected eof|lost connection|the connection is lost"
    r"|server conn crashed|connection not open|server has gone away",
    key="database_disconnected",
)
CORRUPT = Meaning(
    Code.DATABASE_CORRUPT,
    Fault.CONFIG,
    "Database {database} is damaged.",
    "Check the server's log, which names the damaged file. Then restore the database from a backup.",
    sqlstates=("XX001", "XX002"),
    numbers=(1034, 1035, 1194, 1195, 1712),
    sqlite=(11,),
    text=r"cannot connect to invalid database",
)
NOT_A_DATABASE = Meaning(
    Code.DATABASE_CORRUPT,
    Fault.CONFIG,
    "The file of database {database} is not a SQLite database, or it is encrypted.",
    "Check the path in DATABASE_URL or DATABASES, and check which file was put there. If the path is correct, restore "
    "the file from a backup.",
    sqlite=(26,),
)
DISK = Meaning(
    Code.DATABASE_ERROR,
    Fault.OUTAGE,
    "Database {database} ran out of disk space, memory or other resources, or cannot use its disk.",
    "Check the memory of the server, and the free space and health of the volumes where it stores its data.",
    sqlstates=("53", "58"),
    numbers=(1021, 1030, 1037, 1041, 1114, 1135),
    sqlite=(7, 10, 13),
    text=r"too many open files|out of memory",
)
CONFLICT = Meaning(
    Code.DATABASE_ERROR,
    Fault.OUTAGE,
    "Database {database} ended the check's query because of another transaction.",
    "Wait: this normally passes by itself. If it does not, check which other transactions run on the server.",
    sqlstates=("40",),
    numbers=(1020, 1213, 1317),
)
NOT_PERMITTED = Meaning(
    Code.DATABASE_REFUSED,
    Fault.CONFIG,
    "Cannot connect to database {database}: the operating system does not permit it.",
    "Give the user of this process access to the server's socket, or check the policy of the firewall or container.",
    text=r"failed: (permission denied|operation not permitted)|errno (1|13)\b|socket '.*' \((1|13)\)",
)
UNREACHABLE = Meaning(
    Code.DATABASE_UNREACHABLE,
    Fault.OUTAGE,
    "Database {database} cannot be reached.",
    "Check that the server is running, and that the host and port in DATABASE_URL or DATABASES lead to it from this "
    "machine or container.",
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
"""All meanings, in the order in which error texts are compared.

Errors that a server or a driver describes come before those of a server that was not reached.
"""
