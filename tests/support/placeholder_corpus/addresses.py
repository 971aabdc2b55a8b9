"""Addresses with a placeholder."""

from __future__ import annotations

ADDRESSES: list[str] = [
    *(
        "postgres://<user>:<pass>@<host>/<db>",
        "postgres://USER:PASSWORD@HOST:PORT/NAME",
        "postgresql://user:password@host/db",
    ),
    *("postgres://user:changeme@db:5432/app", "postgres://postgres:[YOUR-PASSWORD]@db.x.supabase.co:5432/postgres"),
    *("postgres://app:your-password@db/app", "mysql://root:CHANGE_ME@mysql/app", "redis://:<password>@redis:6379/0"),
    *("amqp://{{ user }}:{{ pass }}@rabbit/", "postgres://${DB_USER}:${DB_PASS}@db/app", "postgres://app:****@db/app"),
    *("mongodb+srv://<username>:<password>@cluster0.mongodb.net/", "postgres://app:xxxxxxxx@db/app", "${DATABASE_URL}"),
    *("postgres://app:pw@<host>/app", "postgres://app:pw1@db/<dbname>", "postgres://app:Xk29fa@your-host:5432/app"),
    *(
        "host=db user=app password=<password>",
        "Server=db;User Id=app;Password=changeme;",
        "redis://:REDACTED@redis:6379",
    ),
    *(
        "op://vault/db/url",
        "arn:aws:secretsmanager:eu-west-1:1:secret:db",
        "/run/secrets/database_url",
        "{{ database_url }}",
    ),
    *(
        "postgres://postgres:postgres@db/app",
        "postgres://app:password@db/app",
        "postgres://benutzer:dein-passwort@db/app",
    ),
    *("postgres://app:$(DB_PASSWORD)@db/app", "postgres://app:%(password)s@db/app", "postgres://app:#{PW}#@db/app"),
    *("https://<key>@sentry.io/<project>", "https://examplePublicKey@o0.ingest.sentry.io/0", "<database-url>"),
    *(
        "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "jdbc:postgresql://h/d?password=<pw>",
    ),
    *("postgres://contraseña:cámbiame@db/app", "postgres://app:ваш_пароль@db/app", "ENC[AES256_GCM,data:x,iv:y,tag:z]"),
]
"""The values of variables like ``DATABASE_URL``."""
