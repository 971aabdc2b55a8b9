"""Words and texts that are used as placeholders of a secret, and frequencies of letter pairs in words.

The vocabulary is written without accents and in lower case. Stems cover languages with cases and endings.
"""

from __future__ import annotations

import enum
import re
import unicodedata


class Word(enum.Enum):
    """The meaning of a word in a placeholder."""

    ORDER = "order"
    """A request for a secret, such as change, your or insert. Nobody uses it as a password."""
    MOCK = "mock"
    """A label of a value that is not a secret, such as test or example. It can be a working password."""
    NOUN = "noun"
    """A name of a secret or of its purpose, such as password, admin or postgres."""
    SERIES = "series"
    """A part of the alphabet or of a keyboard row, or one repeated letter."""
    FILL = "fill"
    """A word that connects the others, such as the, here or please."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ORDERS = _words(
    # English
    "set change changeme changethis changeit changed replace replaceme replacethis replaced insert enter fill fillme "
    "fillin placeholder placehold your yours yourself redacted redact masked todo fixme tbd tba xxx put paste "
    "provide supply specify override customize edit editme update updateme generate generated setme required notset "
    "unset redigido removed hidden obfuscated censored stripped scrubbed omitted type add choose pick define "
    "configure "
    # German, French, Spanish, Portuguese, Italian
    "dein deine deinen deiner ihr ihre ihren ihrer euer eintragen einsetzen eingeben einfugen einfuegen andern "
    "aendern andere aendere geandert ersetzen ersetze ersetzt ausfullen ausfuellen setzen platzhalter votre vos ton "
    "ta tes changer changez modifier modifiez remplacer remplacez inserer inserez saisir saisissez entrer entrez "
    "mettre mettez renseigner renseignez completer tu tus su sus cambiar cambia cambiame cambialo cambiala cambie "
    "reemplazar reemplaza reemplazame reemplace sustituir sustituye insertar inserta inserte introducir introduce "
    "introduzca ingresar ingresa ingrese poner pon ponga colocar coloca coloque rellenar rellena escribe seu sua "
    "seus suas troque trocar mude mudar altere alterar substitua substituir insira inserir digite preencha "
    "preencher tuo tua tuoi tue cambiami cambiare modifica modificare modificami sostituire sostituisci "
    "sostituiscimi inserire inserisci metti mettere compila compilare segnaposto marcador "
    # Dutch, Polish, Turkish, Indonesian
    "jouw uw je wijzig wijzigen verander veranderen vervang vervangen invullen invoeren vul voer plaats zmien "
    "zmienic zmienmnie zamien wpisz wprowadz wstaw podaj uzupelnij twoj twoja twoje swoj swoje degistir degistirin "
    "degistiriniz girin giriniz gir yazin yaziniz yaz ekle ekleyin doldur doldurun buraya sizin senin sifreniz "
    "sifrenizi parolaniz parolanizi anahtariniz anahtarinizi ganti gantilah ubah masukkan isi isikan anda kamu "
    # Swedish, Danish, Norwegian, Finnish, Czech, Romanian, Hungarian, Vietnamese
    "andra byt ersatt ange din ditt dit skift erstat indsaet aendre endre bytt vaihda korvaa syota sinun zmen "
    "zmente nahrad vloz vas vase tvuj schimba schimbati inlocuieste introdu introduceti csereld valtoztasd ird thay "
    "doi nhap "
)
_MOCKS = _words(
    "mock mocked mocks dummy fake test tests testing tester example examples sample samples demo stub notreal "
    "invalid bogus foo bar baz qux quux foobar foobarbaz fizz buzz asdf qwer lorem ipsum blah "
    "none null nil na nothing empty disabled insecure unsafe temp temporary tmp beispiel muster exemple ejemplo "
    "exemplo esempio voorbeeld przyklad przykladowy przykladowe ornek contoh exempel eksempel esimerkki priklad "
    "exemplu pelda prueba prova essai teste proef vidu abc xyz qwe asd zxc "
    "qwerty qwertz azerty deadbeef cafebabe prout truc machin toto titi tutu pippo pluto fulano hoge "
    "fuga piyo "
)
_NOUNS = _words(
    "dbpass dbpassword dbuser dbpw "
    "password passwords passwd passwort passphrase passcode pass pw pwd pswd psw key keys apikey apikeys token "
    "tokens secret secrets credential credentials creds access auth oauth jwt bearer api private public signing "
    "encryption encrypt cookie session salt hash hmac user users username admin administrator adminpass root guest "
    "login account app application db database sql postgres postgresql pgsql pg mysql mariadb mongo mongodb redis "
    "rabbitmq minio minioadmin grafana keycloak elastic elasticsearch kafka django flask rails laravel "
    "wordpress server host local localhost dev devel develop development prod production stage staging qa super "
    "strong secure security long very random complex master default letmein welcome iloveyou toor raspberry alpine "
    "vagrant ubuntu debian centos docker sa system oracle trustno nopass nopassword "
    "backup deploy service svc client web website site backend frontend worker celery broker cache queue mail email "
    "smtp ftp ssh vpn wifi stripe github gitlab slack openai anthropic claude gemini mistral google aws azure gcp "
    "sentry sendgrid twilio mailgun paypal webhook hook project company org organization team my our mine simple "
    "easy unsecure superuser supersecret mysecret sekret "
    # Other languages
    "passwortt kennwort geheim geheimnis schlussel schluessel zugang zugangsschlussel motdepasse mot passe cle cles "
    "clef jeton contrasena contrasenya clave claves secreto secreta llave senha chave segredo parola chiave segreto "
    "segreta wachtwoord sleutel geheime haslo hasla klucz klucza tajne tajny sifre sifresi anahtar anahtari gizli "
    "kata sandi kunci rahasia lozinka heslo klic salasana avain jelszo losenord losen nyckel adgangskode passord "
    "nokkel parole slaptazodis mat khau matkhau api-key sisi "
)
_FILLS = _words(
    "the a an and or of in is it its to for with from by on at as be this that here there me we you please pls now "
    "before after later deploying deployment use using must should shall will not no never do dont don t s real "
    "actual valid proper own new old value values string strings text some any one two least min minimum max more "
    "than char chars character characters byte bytes bit bits hex base openssl rand python uuid url uri dsn id name "
    "number only just like so if when where into out off was were are can cannot ever keep safe get make made "
    "sure goes go need needs needed want see docs readme doc env file yml yaml const var variable vars e g eg sk pk "
    "rk ghp gho glpat xoxb xoxp whsec pat live proj ant v x y z abcxyz er hf gsk npm pypi "
    # German, French, Spanish, Portuguese, Italian, Dutch, Polish, Turkish, Indonesian and others
    "bitte hier der die das den dem ein eine einen mein meine zu zum und fur fuer nicht im mit von sicheres sicher "
    "wert wird muss ici le la les l de du des un une mon ma mes en pour au aux dans s il vous plait svp d n pas "
    "valeur aqui el los las una por favor para con mi mis no ao aos esto este esta isto isso essa valor o os as um "
    "uma com na qui lo i gli del della dello di per favore non questo questa questi valore alsjeblieft aub het een "
    "deze dit van voor mij met waarde niet tutaj tu nie prosze ten to te ta do z w mnie swojego wartosc lutfen bu "
    "bir ve ile icin deger degeri beni ini itu yang dengan untuk sini disini saya dari tolong harap jangan nilai "
    "har mig her meg det zde sem tady me aici asta acest az itt tahan tama cua ban day vao "
)
DEFAULTS = frozenset(
    "112233 121212 a1b2c3d4 swordfish "
    "tiger scott hunter hunter2 rabbit manager monkey dragon iloveyou sunshine princess football baseball "
    "superman batman shadow michael jennifer charlie donald trustno1 starwars whatever freedom ninja mustang "
    "jordan pepper ginger cheese summer hello hello123 1q2w3e4r 1qaz2wsx zaq12wsx q1w2e3r4 qazwsx 123qwe qwe123 "
    "pass1234 a1b2c3 aa123456 nimda r00t t00r cisco raspberry alpine ubnt calvin smcadmin openwrt synology ".split()
)
"""Common passwords that the words above do not cover."""
PUBLISHED = frozenset(
    {
        "AKIAIOSFODNN7EXAMPLE",
        "AKIAI44QH8DHBEXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY",
        "AIzaSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe",
        "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
        "sk_test_BQokikJOvBiI2HlWgH4olfQ2",
        "pk_test_TYooMQauvdEDq54NiTphI7jx",
        "6LeIxAcTAAAAAJcZVRqyHh71UMIEGNQ_MXjiZKhI",
        "6LeIxAcTAAAAAGG-vFI1TnRWxMZNFuojJ4WifJWe",
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
        "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==",
        "10000000-ffff-ffff-ffff-000000000001",
        "123e4567-e89b-12d3-a456-426614174000",
    }
)
"""Keys that vendors publish in their documentation, or give to everyone for tests."""
# Stems of words in languages with many endings and in other scripts, each with at least three letters.
_STEMS: dict[str, Word] = {
    **dict.fromkeys(
        "измен замен смени введи введит встав укаж ваш твой твоя ваша поменя подстав заполн впиш замін змін введіт вкаж"
        " твій αλλαξ αλλαξε αντικατ εισαγ συμπληρ промен смене въвед вашат".split(),
        Word.ORDER,
    ),
    **dict.fromkeys("тест пример образец заглушк приклад δοκιμ παραδειγμ".split(), Word.MOCK),
    **dict.fromkeys(
        "пароль парол ключ секрет токен доступ админ мой моя супер κωδικ κλειδι μυστικ συνθημ".split(), Word.NOUN
    ),
    **dict.fromkeys("здесь сюда пожалуйста этот это эту тут свой своя меня нужно εδω εδώ παρακαλ".split(), Word.FILL),
}
# Words in scripts without spaces. They can occur anywhere in a run of letters.
_PARTS: dict[str, Word] = {
    **dict.fromkeys(
        "変更 置き換 置換 入力 差し替え あなたの 設定して 書き換え 更改 修改 替换 替換 输入 輸入 填写 填入 填寫 您的 "
        "你的 请改 改我 변경 입력 교체 바꾸 바꿔 당신의 귀하의 수정 غير استبدل أدخل ادخل ضع الخاص שנה החלף הכנס הזן "
        "שלך बदल दर्ज अपन เปลี่ยน ใส่ ของคุณ".split(),
        Word.ORDER,
    ),
    **dict.fromkeys(
        "例 サンプル テスト ダミー 示例 示范 测试 測試 范例 예시 예제 테스트 مثال اختبار דוגמה בדיקה उदाहरण परीक्षण "
        "ตัวอย่าง".split(),
        Word.MOCK,
    ),
    **dict.fromkeys(
        "パスワード 秘密 鍵 キー トークン シークレット 密码 密碼 密钥 密鑰 口令 令牌 秘钥 비밀번호 비밀 키 토큰 مفتاح "
        "كلمة المرور سر סיסמה מפתח पासवर्ड कुंजी रहस्य รหัสผ่าน คีย์".split(),
        Word.NOUN,
    ),
    **dict.fromkeys("ここ ください 这里 此处 這裡 여기 هنا כאן यहाँ यहां ที่นี่".split(), Word.FILL),
}
_VOCABULARY: dict[str, Word] = {
    **dict.fromkeys(_FILLS, Word.FILL),
    **dict.fromkeys(_NOUNS, Word.NOUN),
    **dict.fromkeys(_MOCKS, Word.MOCK),
    **dict.fromkeys(_ORDERS, Word.ORDER),
}
_LONGEST_PART = 14
_MAX_COMPOUND = 40
# The only short words that count as parts of a compound, because people write them together with other words.
_SHORT_PARTS = _words(
    "my me key api pw db the is not in to new for use set put app dev sql jwt aws ssh abc xyz foo bar a pg"
)
_COMPOUND_PARTS = {word: meaning for word, meaning in _VOCABULARY.items() if len(word) > 3 or word in _SHORT_PARTS}
_SHORTEST_STEM, _LONGEST_STEM = min(map(len, _STEMS)), max(map(len, _STEMS))
_NO_DECOMPOSITION = str.maketrans(
    {"ł": "l", "ı": "i", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "ß": "ss", "þ": "th", "ð": "d", "ə": "e"}
)
_SEQUENCES = ("abcdefghijklmnopqrstuvwxyz", "zyxwvutsrqponmlkjihgfedcba", "qwertyuiop", "asdfghjkl", "zxcvbnm")
_ACCENTED = re.compile(r"([\u0000-\u03ff])[\u0300-\u036f]+")
_DISGUISE = str.maketrans("@4831!05$7", "aabeiiosst")
_TRAILING = re.compile(r"[\W\d_]{1,6}$")
_BETWEEN = re.compile(r"[-_. ]")
_IDEOGRAPHS = re.compile(r"[\u0590-\u06ff\u0900-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

# The log-likelihood ratio of letter pairs in words compared to random letters, in half nats with "m" as zero. A row is
# for the letter before (the first row is the beginning of a word), a column for the letter after (the last column is
# the end of a word). Counted in the texts of Django's catalogs in 34 languages, and in English texts.
_PAIRS = (
    *("nmnnmmmlmkmmnmmnimonmmkgikm", "lmmnjjmkmkmompjlgonolkihkkm", "pkhhpehjplgoijoheoliofgflel"),
    *("pflgofeppjmliipgelknmffekkk", "phhlqhhjpjhjllohemliniiejkm", "lkmmlkljljmnmpjkhponjkikilm"),
    *("oggiomijqghnhjphfnklnegekfk", "pkhiqgllohimilogenmkohjekgm", "qehiphfjpijlkkpgemjnnijeken"),
    *("nknmnlmjikmompnkimonjkhhilm", "qgfkqhhengjjikohehnloigefik", "pjjgoehkphlmkjofemnnokjelem"),
    *("piilphkhpljojjoiegmnmihekgl", "qnfiqggjpghkljnnehkjngheiel", "ohlookojokkkilnhfhnomjgelin"),
    *("klmnkililjmnnpllfpnmmmlghkm", "pijhpihjnghnijpmeplmmjgekgk", "lheileeeleeneilehjjhseeeeek"),
    *("pkkmpjlipiklmkniglmmmjiekkm", "ohmipihkoinmjknmijmpmiiejkn", "piihpihmpgijjjojeolmnihgljm"),
    *("nklmmimjmkmonokmeooomiiijlm", "qghgqegfpgijhlogeljhlgeelfk", "qhlkphikpehjhnnjgmmjighfohl"),
    *("oinipkeiqeelkemohijplegijem", "olmnnmljnjlnmnnneknokjkemkn", "qljlpekgphkklnnjeiklnkkemkm"),
)
_ROW = {
    letter: [(ord(code) - ord("m")) / 2 for code in row]
    for letter, row in zip("^abcdefghijklmnopqrstuvwxyz", _PAIRS, strict=True)
}
_END = 26


def plain(text: str) -> str:
    """Return ``text`` in lower case and without accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_NO_DECOMPOSITION))
    # In scripts other than Latin and Greek, a letter with a mark is a letter of its own.
    return unicodedata.normalize("NFC", _ACCENTED.sub(r"\1", decomposed)).lower()


def likelihood(word: str) -> float:
    """Return the log-likelihood ratio of ``word`` (a to z) as a word compared to random letters, in nats."""
    total, before = 0.0, "^"
    for letter in word:
        total += _ROW[before][ord(letter) - 97]
        before = letter
    return total + _ROW[before][_END]


def meanings(word: str) -> frozenset[Word]:
    """Return the meanings of a plain word, or of the words that it is composed of; empty if it is unknown."""
    if word in _VOCABULARY:
        return frozenset({_VOCABULARY[word]})
    is_series = len(set(word)) == 1 or any(word in sequence for sequence in _SEQUENCES)
    if len(word) > 2 and (word in _SEQUENCES[0] or (len(word) > 3 and is_series)):
        return frozenset({Word.SERIES})
    if not word.isascii():
        return _foreign(word)
    return _compound(word) if 4 <= len(word) <= _MAX_COMPOUND else frozenset()


def meanings_in_disguise(text: str) -> frozenset[Word]:
    """Return the meanings of a text with digits and symbols instead of letters, like ``P@ssw0rd1``."""
    low = text.lower()
    if len(low) > _MAX_COMPOUND or low.isalpha():
        return frozenset()
    for core in (low, _TRAILING.sub("", low)):
        word = _BETWEEN.sub("", core.translate(_DISGUISE))
        is_disguised = len(word) >= 4 and word.isascii() and word.isalpha()
        if is_disguised and sum(map(str.isalpha, core)) * 2 >= len(core) and (word_meanings := meanings(word)):
            return word_meanings
    return frozenset()


def _foreign(word: str) -> frozenset[Word]:
    for length in range(min(_LONGEST_STEM, len(word)), _SHORTEST_STEM - 1, -1):
        if word[:length] in _STEMS:
            return frozenset({_STEMS[word[:length]]})
    if _IDEOGRAPHS.search(word):
        return frozenset(meaning for part, meaning in _PARTS.items() if part in word)
    return frozenset()


def _compound(word: str) -> frozenset[Word]:
    """Return the meanings of the parts of a compound word, split into the fewest possible parts."""
    best: list[tuple[float, frozenset[Word]] | None] = [(0, frozenset()), *[None] * len(word)]
    for end in range(1, len(word) + 1):
        for start in range(max(0, end - _LONGEST_PART), end):
            before, meaning = best[start], _COMPOUND_PARTS.get(word[start:end])
            if before is None or meaning is None:
                continue
            current, count = best[end], before[0] + (1 if end - start > 2 else 1.5)
            if current is None or count < current[0]:
                best[end] = (count, before[1] | {meaning})
    split = best[-1]
    # Random letters often consist of short words.
    return split[1] if split is not None and split[0] * 3 <= len(word) else frozenset()
