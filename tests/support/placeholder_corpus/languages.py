"""Placeholders for keys, tokens and secrets in languages other than English."""

from __future__ import annotations

LANGUAGES: dict[str, list[str]] = {
    "German": [
        *(
            "geheim",
            "geheimer-schlüssel",
            "hier-schlüssel-eintragen",
            "dein-api-schlüssel",
            "bitte-ändern",
            "ÄNDERE_MICH",
        ),
        *("ersetze-mich", "IHR_TOKEN_HIER", "platzhalter", "beispielschluessel", "streng-geheim", "Zugangsschluessel"),
    ],
    "French": [
        *(
            "à_changer",
            "changez-moi",
            "votre-clé-api",
            "votre_jeton_ici",
            "clé-secrète",
            "remplacez-moi",
            "exemple-de-clé",
        ),
        *("mettre-la-clé-ici", "VOTRE_CLE", "secret-à-changer", "saisir_la_cle_ici", "inserer-votre-cle"),
    ],
    "Spanish": [
        *("tu-clave-aquí", "cámbiame", "cambiar_en_produccion", "clave-secreta", "tu_token", "reemplázame", "ejemplo"),
        *("inserta-tu-clave", "SU_CLAVE_API", "pon_tu_clave_aqui", "introduce-aqui-la-clave", "llave-de-prueba"),
    ],
    "Portuguese": [
        *(
            "sua-chave-aqui",
            "troque-me",
            "altere-isto",
            "chave-secreta",
            "SEU_TOKEN",
            "mude_em_producao",
            "exemplo-de-chave",
        ),
        *("insira-sua-chave", "substitua-este-valor", "segredo"),
    ],
    "Italian": [
        *(
            "la-tua-chiave",
            "cambiami",
            "inserisci-qui",
            "chiave-segreta",
            "IL_TUO_TOKEN",
            "da-cambiare",
            "sostituiscimi",
        ),
        *("segreto", "chiave_di_esempio", "metti_qui_la_chiave"),
    ],
    "Dutch": [
        *(
            "jouw-sleutel-hier",
            "verander-dit",
            "wijzig_mij",
            "geheime-sleutel",
            "VUL_HIER_IN",
            "vervang-mij",
            "voorbeeld",
        ),
        *("geheim-wachtwoord", "plaats-sleutel-hier"),
    ],
    "Polish": [
        *(
            "twój-klucz-api",
            "zmień-mnie",
            "ZMIEN_TO",
            "tajny-klucz",
            "wpisz-tutaj",
            "wstaw_klucz_tutaj",
            "przykładowy-klucz",
        ),
        *("podaj_swoj_token", "tajne"),
    ],
    "Turkish": [
        *(
            "buraya-anahtar-girin",
            "değiştir",
            "beni_degistir",
            "gizli-anahtar",
            "ANAHTARINIZ",
            "örnek-anahtar",
            "çok-gizli",
        ),
        *("api_anahtari_buraya", "lutfen-degistirin"),
    ],
    "Indonesian": [
        *(
            "ganti-ini",
            "kunci-rahasia",
            "masukkan_kunci_disini",
            "KUNCI_API_ANDA",
            "contoh-kunci",
            "ubah-saya",
            "rahasia",
        ),
        *("isi-kunci-di-sini",),
    ],
    "Swedish, Czech, Hungarian, Finnish": [
        *("byt-ut-mig", "din-nyckel-här", "hemlig-nyckel", "změň-mě", "tajný-klíč", "vlož-klíč-sem", "titkos-kulcs"),
        *("cseréld-ki", "vaihda-tämä", "salainen-avain"),
    ],
    "Russian, Ukrainian, Greek": [
        *(
            "ваш-ключ",
            "замени_меня",
            "секретный-ключ",
            "введите-токен-сюда",
            "ИЗМЕНИТЕ_ЭТО",
            "пример-ключа",
            "ваш-токен",
        ),
        *("секрет", "змініть-мене", "αλλαξέ-με", "το-κλειδί-σου"),
    ],
    "Japanese, Chinese, Korean, Arabic, Hindi": [
        *(
            "ここに入力してください",
            "変更してください",
            "秘密鍵",
            "あなたのキー",
            "您的密钥",
            "请修改",
            "在此输入密钥",
            "你的token",
        ),
        *("여기에입력", "변경하세요", "비밀키", "مفتاحك-هنا", "आपकी-कुंजी"),
    ],
}
