"""What a cloud's folder is brought forward to, and what its settings say of notices."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from cloud_bridge.alerts.terms import Terms
from cloud_bridge.folder import Folder
from cloud_bridge.runtime.administer import people
from cloud_bridge.runtime.administer.office import Office, open_office
from cloud_bridge.runtime.forward import bring_forward
from cloud_bridge.runtime.init import init
from cloud_bridge.runtime.link_key import load_link_key
from cloud_bridge.runtime.vault import Vault
from cloud_bridge.settings import CloudSettings
from config.runtime.files import load
from config.settings import decode


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return init(tmp_path / "cloud", "127.0.0.1:0", [])


def settings_of(folder: Folder) -> CloudSettings:
    return load(folder.settings, CloudSettings)


def test_s24_a_folder_of_an_earlier_version_gets_the_keys_of_channels_and_links(folder: Folder) -> None:
    settings = settings_of(folder)
    for key in (settings.channel_key, settings.link_key):
        key.unlink()
    bring_forward(folder, settings)
    for key in (settings.channel_key, settings.link_key):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert Vault(settings.channel_key).open(Vault(settings.channel_key).seal("x")) == "x"
    assert load_link_key(settings.link_key)


def test_keys_that_are_there_stay_as_they_are(folder: Folder) -> None:
    settings = settings_of(folder)
    before = settings.channel_key.read_bytes(), settings.link_key.read_bytes()
    bring_forward(folder, settings)
    assert (settings.channel_key.read_bytes(), settings.link_key.read_bytes()) == before


def test_a_key_that_channels_were_encrypted_with_is_not_replaced(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_of(folder)
    with open_office(folder.root) as office:
        people.add_owner(office, {"name": "Ada", "email": "ada@example.net"})
    settings.channel_key.unlink()
    bring_forward(folder, settings)
    assert not settings.channel_key.exists()
    assert f"{settings.channel_key} is missing" in caplog.text
    assert "channel new-key" in caplog.text


def test_an_office_whose_key_others_may_read_stays_closed(folder: Folder) -> None:
    settings = settings_of(folder)
    settings.channel_key.chmod(0o644)
    with pytest.raises(Exception, match="others may read the key"):
        Office(settings)


def test_what_stands_in_comments_are_settings_and_the_figures_are_the_defaults(folder: Folder) -> None:
    text = folder.settings.read_text()
    shown = re.sub(r"^#(?=[a-z_]+:|  [a-z_]+:)", "", text, flags=re.MULTILINE)
    settings = decode(shown, CloudSettings, "cloud.yaml", folder.root)
    assert settings.alerts == Terms()
    figures = text.split("#alerts:")[1].split("\n\n")[0]
    assert re.findall(r"^#  (\w+):", figures, re.MULTILINE) == list(Terms.__struct_fields__)
    assert settings.smtp is not None
    assert settings.dead_man is not None
    assert settings.public_url
    assert settings.listen_links
    assert settings.allow_private_targets is False
