"""Random values as services and password generators create them. None of them is a placeholder."""

from __future__ import annotations

import base64
import random
import string
import uuid
from collections.abc import Callable

from tests.support.keys import maker

Make = Callable[[random.Random], str]

ALNUM, HEX, URLSAFE, B64 = "[A-Za-z0-9]", "[0-9a-f]", "[A-Za-z0-9_-]", "[A-Za-z0-9+/]"

PATTERNS: dict[str, str] = {
    "stripe live": f"sk_live_{ALNUM}{{24}}",
    "stripe test": f"sk_test_{ALNUM}{{24}}",
    "stripe test long": f"sk_test_51{ALNUM}{{97}}",
    "stripe publishable": f"pk_test_{ALNUM}{{24}}",
    "stripe restricted": f"rk_live_{ALNUM}{{99}}",
    "stripe webhook": f"whsec_{ALNUM}{{32}}",
    "stripe letters": "sk_test_[A-Za-z]{24}",
    "razorpay test": f"rzp_test_{ALNUM}{{14}}",
    "paystack test": f"sk_test_{HEX}{{40}}",
    "flutterwave test": f"FLWSECK_TEST-{HEX}{{32}}-X",
    "adyen test": f"test_{ALNUM}{{64}}",
    "mollie test": f"test_{ALNUM}{{30}}",
    "mollie live": f"live_{ALNUM}{{30}}",
    "braintree": f"{HEX}{{32}}",
    "square": f"EAAA{URLSAFE}{{60}}",
    "square sandbox": f"sandbox-sq0csb-{URLSAFE}{{43}}",
    "paypal": f"A{URLSAFE}{{79}}",
    "github classic": f"ghp_{ALNUM}{{36}}",
    "github oauth": f"gho_{ALNUM}{{36}}",
    "github fine": f"github_pat_{ALNUM}{{22}}_{ALNUM}{{59}}",
    "gitlab": f"glpat-{URLSAFE}{{20}}",
    "gitlab runner": f"glrt-{URLSAFE}{{20}}",
    "bitbucket": f"ATBB{ALNUM}{{28}}",
    "slack bot": f"xoxb-[0-9]{{12}}-[0-9]{{13}}-{ALNUM}{{24}}",
    "slack app": f"xapp-1-A[A-Z0-9]{{10}}-[0-9]{{13}}-{HEX}{{64}}",
    "slack signing": f"{HEX}{{32}}",
    "discord": f"[MNO][A-Za-z0-9]{{25}}\\.{URLSAFE}{{6}}\\.{URLSAFE}{{38}}",
    "telegram": f"[0-9]{{10}}:AA{URLSAFE}{{33}}",
    "sendgrid": f"SG\\.{URLSAFE}{{22}}\\.{URLSAFE}{{43}}",
    "mailgun": f"key-{HEX}{{32}}",
    "mailchimp": f"{HEX}{{32}}-us[0-9]{{2}}",
    "postmark": f"{HEX}{{8}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{12}}",
    "resend": f"re_{ALNUM}{{8}}_{ALNUM}{{24}}",
    "brevo": f"xkeysib-{HEX}{{64}}-{ALNUM}{{16}}",
    "mandrill": f"md-{ALNUM}{{22}}",
    "twilio sid": f"AC{HEX}{{32}}",
    "twilio token": f"{HEX}{{32}}",
    "twilio key": f"SK{HEX}{{32}}",
    "aws id": "AKIA[A-Z2-7]{16}",
    "aws secret": f"{B64}{{40}}",
    "aws session": f"FwoGZXIvYXdz{B64}{{200}}=",
    "google": f"AIza{URLSAFE}{{35}}",
    "google oauth": f"GOCSPX-{URLSAFE}{{28}}",
    "google refresh": f"1//0{URLSAFE}{{60}}",
    "azure client": f"{ALNUM}{{3}}8Q~{URLSAFE}{{34}}",
    "azure storage": f"{B64}{{86}}==",
    "azure devops": "[a-z2-7]{52}",
    "digitalocean": f"dop_v1_{HEX}{{64}}",
    "cloudflare": f"{URLSAFE}{{40}}",
    "cloudflare global": f"{HEX}{{37}}",
    "heroku": f"HRKU-AA{URLSAFE}{{58}}",
    "fly": f"FlyV1 fm2_{B64}{{120}}",
    "vercel": f"{ALNUM}{{24}}",
    "netlify": f"nfp_{ALNUM}{{36}}",
    "npm": f"npm_{ALNUM}{{36}}",
    "pypi": f"pypi-AgEIcHlwaS5vcmc{URLSAFE}{{120}}",
    "docker": f"dckr_pat_{URLSAFE}{{27}}",
    "rubygems": f"rubygems_{HEX}{{48}}",
    "datadog api": f"{HEX}{{32}}",
    "datadog app": f"{HEX}{{40}}",
    "newrelic": "NRAK-[A-Z0-9]{27}",
    "sentry": f"sntrys_eyJ{B64}{{80}}_{B64}{{43}}",
    "rollbar": f"{HEX}{{32}}",
    "grafana": f"glsa_{ALNUM}{{32}}_{HEX}{{8}}",
    "algolia": f"{HEX}{{32}}",
    "mapbox": f"pk\\.eyJ1{ALNUM}{{60}}\\.{URLSAFE}{{22}}",
    "shopify": f"shpat_{HEX}{{32}}",
    "notion": f"ntn_{ALNUM}{{46}}",
    "linear": f"lin_api_{ALNUM}{{40}}",
    "airtable": f"pat{ALNUM}{{14}}\\.{HEX}{{64}}",
    "asana": "[0-9]/[0-9]{16}:[0-9a-f]{32}",
    "hubspot": f"pat-na1-{HEX}{{8}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{12}}",
    "intercom": f"dG9r{B64}{{56}}",
    "supabase": f"sbp_{HEX}{{40}}",
    "planetscale": f"pscale_tkn_{URLSAFE}{{43}}",
    "neon": "npg_[A-Za-z0-9]{12}",
    "databricks": f"dapi{HEX}{{32}}",
    "vault": f"hvs\\.{URLSAFE}{{90}}",
    "1password service": f"ops_eyJ{URLSAFE}{{250}}",
    "doppler": f"dp\\.st\\.prd\\.{ALNUM}{{43}}",
    "okta": f"00{URLSAFE}{{40}}",
    "auth0": f"{URLSAFE}{{64}}",
    "pushover": "[a-z0-9]{30}",
    "fcm": f"AAAA{URLSAFE}{{7}}:APA91b{URLSAFE}{{134}}",
    "facebook": f"EAA{ALNUM}{{180}}",
    "twitter bearer": f"AAAAAAAAAAAAAAAAAAAAA{ALNUM}{{80}}",
    "dropbox": f"sl\\.{URLSAFE}{{135}}",
    "figma": f"figd_{URLSAFE}{{40}}",
    "typeform": f"tfp_{URLSAFE}{{44}}_{URLSAFE}{{14}}",
    "recaptcha": f"6L{URLSAFE}{{38}}",
    "turnstile": f"0x4AAAAAAA{URLSAFE}{{25}}",
    "totp": "[A-Z2-7]{32}",
    "totp short": "[A-Z2-7]{16}",
    "license": "[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}",
    "hex 32": f"{HEX}{{32}}",
    "hex 40": f"{HEX}{{40}}",
    "hex 64": f"{HEX}{{64}}",
    "hex 128": f"{HEX}{{128}}",
    "hex upper": "[0-9A-F]{64}",
    "hex 16": f"{HEX}{{16}}",
    "lower case and digits 16": "[a-z0-9]{16}",
    "lower case and digits 24": "[a-z0-9]{24}",
    "lower case and digits 50": "[a-z0-9]{50}",
    "letters 32": "[A-Za-z]{32}",
    "letters 20": "[A-Za-z]{20}",
    "lower case letters 16": "[a-z]{16}",
    "lower case letters 24": "[a-z]{24}",
    "capital letters 20": "[A-Z]{20}",
    "alphanumeric 12": f"{ALNUM}{{12}}",
    "alphanumeric 20": f"{ALNUM}{{20}}",
    "alphanumeric 64": f"{ALNUM}{{64}}",
    "telegram id": "[0-9]{8}",
    "digits 16": "[0-9]{16}",
}
DJANGO_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789!@#$%^&*(-_=+)"


def _bytes(rng: random.Random, count: int) -> bytes:
    return rng.randbytes(count)


def _jwt(rng: random.Random) -> str:
    claims = base64.urlsafe_b64encode(f'{{"sub":"{rng.getrandbits(40)}","iat":{rng.getrandbits(30)}}}'.encode())
    signature = base64.urlsafe_b64encode(_bytes(rng, 32)).rstrip(b"=")
    return f"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{claims.rstrip(b'=').decode()}.{signature.decode()}"


KEYS: dict[str, Make] = {
    **{name: maker(pattern) for name, pattern in PATTERNS.items()},
    "uuid": lambda rng: str(uuid.UUID(int=rng.getrandbits(128), version=4)),
    "jwt": _jwt,
    "django": lambda rng: "".join(rng.choices(DJANGO_ALPHABET, k=50)),
    "token_urlsafe 32": lambda rng: base64.urlsafe_b64encode(_bytes(rng, 32)).rstrip(b"=").decode(),
    "token_urlsafe 64": lambda rng: base64.urlsafe_b64encode(_bytes(rng, 64)).rstrip(b"=").decode(),
    "token_urlsafe 16": lambda rng: base64.urlsafe_b64encode(_bytes(rng, 16)).rstrip(b"=").decode(),
    "fernet": lambda rng: base64.urlsafe_b64encode(_bytes(rng, 32)).decode(),
    "base64 32": lambda rng: base64.b64encode(_bytes(rng, 32)).decode(),
    "base64 48": lambda rng: base64.b64encode(_bytes(rng, 48)).decode(),
    "base64 64": lambda rng: base64.b64encode(_bytes(rng, 64)).decode(),
    "base85": lambda rng: base64.b85encode(_bytes(rng, 40)).decode(),
    "ascii": lambda rng: "".join(rng.choices(string.ascii_letters + string.digits + string.punctuation, k=64)),
}
"""The generators of keys, by service or program."""

_VOWELS, _CONSONANTS = "aeiou", "bcdfghjklmnprstvwz"
_WORDS = (
    "abacus acid acorn agency alarm amber anchor apple apron arcade armor arrow atlas autumn badge bagel bakery "
    "bamboo banjo barrel basket battery beacon berry bicycle bishop blanket blossom bonus border bottle branch "
    "breeze bridge bronze bucket buffalo button cabin cactus camera candle canyon carbon cargo carpet castle cedar "
    "cellar chalk chapel cherry cinema circus citrus clover cobalt coconut comet copper coral correct cotton cradle "
    "crater crayon cricket crystal dagger daisy dancer desert diamond dinner dolphin donkey dragon eagle echo elbow "
    "ember empire engine falcon feather fiddle flute forest fossil galaxy garden garlic ginger glacier goblet "
    "granite guitar hammer harbor hazel helmet horse island ivory jacket jaguar jungle kettle kitten ladder lantern "
    "lemon lizard lobster magnet maple marble meadow mirror monkey nectar needle nickel oasis olive orbit orchid "
    "otter oyster paddle palace panda paper parrot pebble pepper piano pillow pirate planet pocket poem puzzle "
    "quartz rabbit radar raven ribbon river rocket saddle salmon sample sandal saturn scarf secret shadow silver "
    "spider staple sugar sunset tablet talent temple test tiger timber tomato tunnel turtle umbrella valley velvet "
    "violin walnut whale window winter wizard yogurt zebra key change insert master private access default server "
    "secure "
).split()
"""Words like those in the lists of Diceware, the EFF and 1Password."""


def _pronounceable(rng: random.Random, length: int) -> str:
    letters = [rng.choice(_CONSONANTS if index % 2 == 0 else _VOWELS) for index in range(length)]
    letters[rng.randrange(length)] = rng.choice(string.digits)
    at = rng.randrange(length)
    letters[at] = letters[at].upper()
    return "".join(letters)


def _apple(rng: random.Random) -> str:
    part = "".join(rng.choices(string.ascii_lowercase, k=18))
    at = rng.randrange(18)
    part = part[:at] + part[at].upper() + part[at + 1 :]
    at = rng.choice((0, 5, 6, 11, 12, 17))
    part = part[:at] + rng.choice(string.digits) + part[at + 1 :]
    return f"{part[:6]}-{part[6:12]}-{part[12:]}"


def _random_text(alphabet: str, length: int) -> Make:
    return lambda rng: "".join(rng.choices(alphabet, k=length))


def _phrase(count: int, separator: str, *, capital: bool = False, number: bool = False) -> Make:
    def make_phrase(rng: random.Random) -> str:
        words = [word.capitalize() if capital else word for word in rng.choices(_WORDS, k=count)]
        if number:
            words[-1] += rng.choice(string.digits)
        return separator.join(words)

    return make_phrase


_LETTERS = string.ascii_letters + string.digits
PASSWORDS: dict[str, Make] = {
    "pwgen": lambda rng: _pronounceable(rng, 8),
    "pwgen 12": lambda rng: _pronounceable(rng, 12),
    "pwgen lower case": lambda rng: "".join(rng.choice(_CONSONANTS) + rng.choice(_VOWELS) for _ in range(4)),
    "pwgen -s": _random_text(_LETTERS, 8),
    "pwgen -s 16": _random_text(_LETTERS, 16),
    "pwgen -sy": _random_text(_LETTERS + string.punctuation, 16),
    "1password": _random_text(_LETTERS + "!@#$%^&*-_.", 20),
    "bitwarden": _random_text(_LETTERS + "!@#$%^&*", 14),
    "lastpass": _random_text(_LETTERS + "!@#$%^&*", 12),
    "keepass": _random_text(_LETTERS + string.punctuation, 20),
    "keepass letters": _random_text(string.ascii_letters, 20),
    "apple": _apple,
    "apg": lambda rng: _pronounceable(rng, 10).capitalize(),
    "dollar": lambda rng: "$" + "".join(rng.choices(_LETTERS, k=11)),
    "dollar capitals": lambda rng: "$" + "".join(rng.choices(string.ascii_uppercase + string.digits, k=11)),
    "openssl base64 12": lambda rng: base64.b64encode(_bytes(rng, 12)).decode(),
    "openssl base64 24": lambda rng: base64.b64encode(_bytes(rng, 24)).decode(),
    "openssl hex 4": lambda rng: _bytes(rng, 4).hex(),
    "openssl hex 8": lambda rng: _bytes(rng, 8).hex(),
    "openssl hex 16": lambda rng: _bytes(rng, 16).hex(),
    "lower case 8": _random_text(string.ascii_lowercase, 8),
    "google app password": lambda rng: " ".join("".join(rng.choices(string.ascii_lowercase, k=4)) for _ in range(4)),
    "make_random_password": _random_text("abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", 10),
    "digits 8": _random_text(string.digits, 8),
    "printable": _random_text(_LETTERS + string.punctuation, 32),
    "xkcd": _phrase(4, "-"),
    "diceware": _phrase(6, " "),
    "bitwarden phrase": _phrase(3, "-", capital=True, number=True),
    "1password phrase": _phrase(4, "."),
    "joined phrase": _phrase(4, "", capital=True),
    "two words": lambda rng: "".join(rng.choices(_WORDS, k=2)) + str(rng.randrange(10, 100)),
}
"""The generators of passwords, by program."""
