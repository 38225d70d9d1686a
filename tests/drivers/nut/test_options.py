"""What a nut:// URL may say, and the files that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.errors import BadUrl
from drivers.nis.options import PARAMETERS as NIS_PARAMETERS
from drivers.nut.commands import COMMANDS, MAIN_OUTLET
from drivers.nut.options import PARAMETERS, Tls, read_options
from drivers.open import open_driver
from drivers.parameters import Parameter
from drivers.url import Address, parse


def test_the_least_that_a_url_says_is_host_and_name() -> None:
    options = read_options(parse("nut://nas.example/ups"))
    assert options.address == Address("nas.example", 3493)
    assert (options.name, options.tls, options.user) == ("ups", Tls.TRY, None)
    assert (options.pace.fast_s, options.pace.full_s, options.pace.reconnect_s) == (2, 6, 5)


def test_an_address_of_version_6_and_another_port_stand_before_the_name() -> None:
    assert read_options(parse("nut://[fd00::7]:4000/ups")).address == Address("fd00::7", 4000)


def test_an_authority_means_that_tls_is_required() -> None:
    assert read_options(parse("nut://nas/ups?ca=ca.pem")).tls is Tls.REQUIRE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nut://nas", "nut://HOST/NAME"),
        ("nut://nas/", "nut://HOST/NAME"),
        ("nut:///ups", "HOST or HOST:PORT"),
        ("nut://nas/a/b%20c", "without blanks"),
        ('nut://nas/a"b', "without blanks"),
        ("nut://nas/" + "x" * 65, "1 to 64"),
        ("nut://nas/ups?tls=maybe", "require, try or no"),
        ("nut://nas/ups?tls=try&ca=ca.pem", "proves nothing"),
        ("nut://nas/ups?user=x", "go together"),
        ("nut://nas/ups?password_file=x", "go together"),
        ("nut://nas/ups?password=x", "did you mean"),
        ("nut://nas/ups?user=a%20b&password_file=x", "user's name"),
        ("nut://me:secret@nas/ups", "do not belong"),
        ("nut://nas/ups?full_s=1&fast_s=2", "shorter"),
        ("nut://nas/ups?fast_s=60", "0.2 to 30"),
    ],
)
def test_what_is_wrong_with_a_url_is_told(text: str, said: str) -> None:
    with pytest.raises(BadUrl, match=said):
        read_options(parse(text))


def password_url(path: Path) -> str:
    return f"nut://nas/ups?user=me&password_file={path}"


def test_a_password_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("secret\n")
    path.chmod(0o640)
    with pytest.raises(BadUrl, match=r"mode 0640; say: chmod 600") as caught:
        open_driver(password_url(path))
    assert "secret" not in str(caught.value)
    path.chmod(0o600)
    assert open_driver(password_url(path)).url == password_url(path)


@pytest.mark.parametrize("text", [b"", b"\n", b"x" * 65, b"a\tb\n", b"\xff\xfe\n"])
def test_a_password_file_without_a_password_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "password"
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(BadUrl, match="password_file"):
        open_driver(password_url(path))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadUrl, match="No such file"):
        open_driver(password_url(tmp_path / "none"))
    with pytest.raises(BadUrl, match="No such file"):
        open_driver(f"nut://nas/ups?ca={tmp_path / 'none'}")


def test_an_authority_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("hello")
    with pytest.raises(BadUrl, match="no certificate in PEM form"):
        open_driver(f"nut://nas/ups?ca={path}")


@pytest.mark.parametrize(
    ("program", "parameter"),
    [*(("NUT", parameter) for parameter in PARAMETERS), *(("NIS", parameter) for parameter in NIS_PARAMETERS)],
)
def test_every_parameter_has_its_row_on_the_page(program: str, parameter: Parameter) -> None:
    page = (Path(__file__).parents[3] / "docs/drivers.md").read_text()
    default = f"{parameter.default:g}" if isinstance(parameter.default, float) else ""
    assert f"| {program} `{parameter.name}` | {parameter.allowed} | {default}" in page


def test_every_command_and_url_of_the_page_is_one() -> None:
    page = (Path(__file__).parents[3] / "docs/drivers.md").read_text()
    for names in (*COMMANDS.values(), *MAIN_OUTLET.values()):
        assert any(f"`{name}`" in page for name in (names[0], names[-1]))
    for text in ("nut://10.0.0.7:3493/ups", "nis://10.0.0.8:3551"):
        assert f"    {text} " in page
        assert open_driver(text).url == text
