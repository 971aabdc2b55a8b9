"""Placeholders for Django's SECRET_KEY."""

from __future__ import annotations

SECRET_KEYS: list[str] = [
    *("change-this-to-a-long-random-string-before-deploying-to-production", "secret" * 9, "changeme" * 8),
    "your-secret-key-goes-here-make-it-at-least-50-characters-long",
    "insecure-secret-key-for-development-only-do-not-use-in-production",
    "REPLACE_ME_WITH_A_REAL_SECRET_KEY_OF_AT_LEAST_FIFTY_CHARACTERS_PLEASE",
    "ThisIsAVeryLongSecretKeyThatShouldBeChangedInProduction123!",
    "please generate a new secret key with openssl rand -hex 32 and put it here",
    "dev-secret-key-not-for-production-use-0123456789-0123456789",
    *(
        "x" * 64,
        "0123456789" * 6,
        "abcdefghijklmnopqrstuvwxyz0123456789" * 2,
        "a1b2c3d4e5f6g7h8i9j0" * 3,
        "qwertyuiop" * 6,
    ),
    "the-quick-brown-fox-jumps-over-the-lazy-dog-and-runs-away-into-the-woods",
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor",
    "!!! CHANGE ME !!! this is not a secure key, generate your own before deploying !!!",
    "<generate-with-get_random_secret_key-and-paste-the-result-in-here-please-thanks>",
    "{{ a_secret_key_that_ansible_should_have_put_in_here_from_the_vault_of_production }}",
    "${DJANGO_SECRET_KEY:?set the secret key in the environment before starting the application}",
    "super-secret-jwt-token-with-at-least-32-characters-long-for-the-example-project",
    "supersecretkeysupersecretkeysupersecretkeysupersecretkey",
    "bitte-ersetze-diesen-schluessel-durch-einen-langen-zufaelligen-text-vor-dem-start",
    "remplacez-cette-cle-secrete-par-une-longue-chaine-aleatoire-avant-la-mise-en-production",
    "cambia-esta-clave-secreta-por-una-cadena-larga-y-aleatoria-antes-de-desplegar",
    "troque-esta-chave-secreta-por-uma-string-longa-e-aleatoria-antes-de-publicar",
    "замените-этот-ключ-на-длинную-случайную-строку-перед-запуском-в-продакшене",
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:production/django/secret-key-AbCdEf",
    "projects/1234567890/secrets/production-django-secret-key/versions/latest/access",
    "test-secret-key-for-unit-tests-only-never-use-this-in-any-real-environment",
    "NOT_A_SECRET_NOT_A_SECRET_NOT_A_SECRET_NOT_A_SECRET_NOT_A_SECRET",
]
"""The values of SECRET_KEY, which has at least 50 characters."""
