"""Names that tell nothing: the same with the same key, others with another."""

import json

import pytest

from unmetal.cohorts.preparation.pseudonyms import LENGTH, Key
from unmetal.errors import InputError


def test_the_key_decides_and_kinds_do_not_mix():
    key = Key(b"secret")
    assert key.name("patient", "DOE") == Key(b"secret").name("patient", "DOE")
    others = [Key(b"other").name("patient", "DOE"), key.name("series", "DOE")]
    others += [key.name("patient", "DOES"), key.name("patient", "DO", "E")]
    assert key.name("patient", "DOE") not in others
    assert all(len(name) == LENGTH and "DOE" not in name for name in others)
    assert Key.new().secret != Key.new().secret


def test_it_is_hmac_sha256():
    # RFC 4231, test case 2, cut to 64 bits; the kind is the whole message.
    assert Key(b"Jefe").name("what do ya want for nothing?") == "5bdcc146bf60754e"


def test_names_of_files_need_not_be_text():
    assert len(Key(b"x").name("source", "caf\udce9.dcm")) == LENGTH


def test_a_key_is_kept_for_its_owner_alone(tmp_path):
    path = tmp_path / "new" / "key.json"
    key = Key.new()
    key.save(path, {"0a1b": "DOE/1.dcm"})
    assert Key.load(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["files"] == {"0a1b": "DOE/1.dcm"}
    assert [one.name for one in path.parent.iterdir()] == ["key.json"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"key": "xyz"}', '{"key": 3}'])
def test_another_file_is_no_key(tmp_path, text):
    (tmp_path / "key.json").write_text(text)
    with pytest.raises(InputError, match="not a key"):
        Key.load(tmp_path / "key.json")
