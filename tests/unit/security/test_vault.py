"""Keys and tokens: what one process writes every other reads, while keys come and go."""

from __future__ import annotations

import json
import logging
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from leap_pipeline.errors import Undecryptable, UserActionError
from leap_pipeline.security.keys import FILE, KeyFile, new_key
from leap_pipeline.security.vault import Vault, load_vault
from leap_pipeline.settings import CHECKOUT, Settings

SECRET = {"api_key": "fw_ключ", "number": 3, "nested": {"scopes": ["a", "b"]}}


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def key_file(home: Settings) -> KeyFile:
    return KeyFile(home.home / FILE)


def with_keys(*keys: str) -> Settings:
    return Settings(encryption_keys=SecretStr(",".join(keys)))


def test_a_document_comes_back_and_its_token_shows_nothing(home: Settings) -> None:
    vault = load_vault(home)
    token = vault.encrypt(SECRET)
    assert vault.decrypt(token) == SECRET
    assert "fw_" not in token
    assert token.isascii()
    assert vault.encrypt(SECRET) != token


def test_the_first_start_makes_a_private_key_file_and_says_so(
    home: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        load_vault(home)
    file = key_file(home)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert len(file.read()) == 1
    (said,) = [each.getMessage() for each in caplog.records]
    assert str(file.path) in said
    assert "loses every stored credential" in said
    assert file.read()[0] not in said
    caplog.clear()
    load_vault(home)
    assert not caplog.records


def test_processes_at_the_same_first_start_agree_on_one_key(home: Settings) -> None:
    code = (
        "import sys; from leap_pipeline.security.vault import load_vault; "
        "from leap_pipeline.settings import load_settings; settings = load_settings(); "
        "print('ready', flush=True); sys.stdin.readline(); "
        "print(load_vault(settings).encrypt({'who': sys.argv[1]}), flush=True)"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(number)],
            env={"LEAP_HOME": str(home.home)},
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    found = []
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    said = ""
    for child in children:
        out, err = child.communicate(timeout=30)
        found.append(load_vault(home).decrypt(out.strip())["who"])
        said += err
    assert found == ["0", "1", "2", "3"]
    assert said.count("Made the encryption key") == 1


def test_the_first_key_writes_and_all_read() -> None:
    old, new = new_key(), new_key()
    before = load_vault(with_keys(old))
    token = before.encrypt(SECRET)
    both = load_vault(with_keys(new, old))
    assert both.decrypt(token) == SECRET
    assert (both.is_current(token), both.needs_older(token)) == (False, True)
    fresh = both.reencrypt(token)
    assert (both.is_current(fresh), both.needs_older(fresh)) == (True, False)
    assert load_vault(with_keys(new)).decrypt(fresh) == SECRET
    with pytest.raises(Undecryptable):
        before.decrypt(fresh)
    time_of = Fernet(new.encode()).extract_timestamp
    assert time_of(fresh.encode()) == Fernet(old.encode()).extract_timestamp(token.encode())


def test_a_running_vault_follows_the_file(home: Settings) -> None:
    reader = load_vault(home)
    old_token = reader.encrypt(SECRET)
    file = key_file(home)
    (old,) = file.read()
    new = new_key()
    file.write((new, old))
    writer = load_vault(home)
    new_token = writer.encrypt(SECRET)
    assert reader.decrypt(new_token) == SECRET
    assert not reader.is_current(old_token)
    assert writer.is_current(reader.encrypt(SECRET))
    file.write((new,))
    assert load_vault(home).decrypt(new_token) == SECRET
    with pytest.raises(Undecryptable):
        load_vault(home).decrypt(old_token)


def test_nothing_is_written_with_a_key_that_nobody_keeps(home: Settings) -> None:
    vault = load_vault(home)
    token = vault.encrypt(SECRET)
    key_file(home).path.unlink()
    assert vault.decrypt(token) == SECRET
    with pytest.raises(UserActionError, match=r"encryption\.keys.*put its copy back"):
        vault.encrypt(SECRET)


def test_what_a_killed_writer_left_is_cleared_away(home: Settings) -> None:
    load_vault(home)
    left = home.home / f".{FILE}.abcd1234"
    left.write_text("a key")
    file = key_file(home)
    file.write(file.read())
    assert not left.exists()


def wrong() -> Iterator[tuple[str, str]]:
    good = new_key()
    yield "", "There is no encryption key"
    yield " , ", "There is no encryption key"
    yield "CANARY-not-a-key", "Key 1 in LEAP_ENCRYPTION_KEYS is no Fernet key"
    yield f"{good},{good[:-2]}", "Key 2 in"
    yield f"{good},", "Key 2 in"
    yield f"{good}x", "Key 1 in"
    yield good.replace(good[0], "é"), "Key 1 in"


# The keys are drawn anew each time, and a test's name must not be.
WRONG = ("none", "blanks", "words", "short", "empty", "long", "foreign")


@pytest.mark.parametrize(("keys", "said"), list(wrong()), ids=WRONG)
def test_a_malformed_setting_is_one_sentence_without_the_key(keys: str, said: str) -> None:
    with pytest.raises(UserActionError, match=said) as refused:
        load_vault(Settings(encryption_keys=SecretStr(keys)))
    sentence = str(refused.value)
    assert sentence.count(".") == 1
    assert not [key for key in keys.split(",") if len(key) > 10 and key in sentence]


@pytest.mark.parametrize("content", ["", "# nothing\n", "CANARY\n", "é\n"])
def test_a_malformed_file_is_one_sentence_and_stays(home: Settings, content: str) -> None:
    home.home.mkdir()
    file = key_file(home)
    file.path.write_text(content, encoding="utf-8")
    with pytest.raises(UserActionError, match=r"encryption\.keys") as refused:
        load_vault(home)
    assert "CANARY" not in str(refused.value)
    assert file.path.read_text(encoding="utf-8") == content


@pytest.mark.parametrize("token", ["", "gAAAAA", "nonsense", "é" * 100])
def test_a_broken_token_is_one_error(home: Settings, token: str) -> None:
    vault = load_vault(home)
    with pytest.raises(Undecryptable, match="connect the account again"):
        vault.decrypt(token)
    assert not vault.is_current(token)
    assert not vault.can_decrypt(token)


@pytest.mark.parametrize("inside", [b"\xff", b"not json", json.dumps(["a list"]).encode()])
def test_a_token_with_no_document_inside_is_refused(inside: bytes) -> None:
    key = new_key()
    with pytest.raises(Undecryptable, match="no JSON object"):
        load_vault(with_keys(key)).decrypt(Fernet(key.encode()).encrypt(inside).decode())


def test_a_vault_and_its_settings_show_no_key() -> None:
    key = new_key()
    settings = with_keys(key)
    vault = load_vault(settings)
    assert key not in f"{vault!r} {settings!r} {settings} {vars(vault)!r}"
    assert isinstance(vault, Vault)
