"""What real programs were seen to ask, and what they must be told (ups-link.md sections 10, 11, 14 and 15)."""

from __future__ import annotations

import re

import pytest

from simulator.upslink.profile import capability_groups

from .line import NEW, OLD, Line

REPLIES = {
    "\x01": b"Smart-UPS 1500\r\n",
    "V": b"FWI\r\n",
    "b": b"653.18.I\r\n",
    "n": b"AS0000000001\r\n",
    "m": b"09/06/05\r\n",
    "c": b"UPS_IDEN\r\n",
    "x": b"01/01/26\r\n",
    "Q": b"08\r\n",
    "9": b"FF\r\n",
    "G": b"O\r\n",
    "X": b"NO\r\n",
    "L": b"230.0\r\n",
    "M": b"230.0\r\n",
    "N": b"230.0\r\n",
    "O": b"230.0\r\n",
    "F": b"50.00\r\n",
    "P": b"050.0\r\n",
    "f": b"100.0\r\n",
    "B": b"27.19\r\n",
    "g": b"024\r\n",
    "j": b"0016:\r\n",
    "C": b"031.0\r\n",
    ">": b"000\r\n",
    "'": b"00\r\n",
    "~": b"00\r\n",
    "8": b"00\r\n",
    "u": b"253\r\n",
    "l": b"208\r\n",
    "s": b"H\r\n",
    "o": b"230\r\n",
    "e": b"00\r\n",
    "p": b"020\r\n",
    "r": b"000\r\n",
    "q": b"02\r\n",
    "k": b"0\r\n",
    "E": b"OFF\r\n",
    "y": b"(C) APCC\r\n",
    "/": b"02.24\r\n",
    "Y": b"SM\r\n",
    "R": b"BYE\r\n",
    "v": b"NA\r\n",
}
"""The forms of section 5, at half load."""

NUT = ["YV", "\x019BCEFGLMNOPXcefgjklmnopqrsuvxb", "QCPEXrpcLFs9luGMNOoxfeBgjqknm\x01b", "QCPXLF9GMNOfBj", "R"]
APCUPSD = ["YY", "\x01Q9GXLMNOfBPFjCsrpluekqcEmnxgb~'8o", "srpluekqcEmnxogb\x01", "YQ9GXLMNOfBPFjC~'8YY"]


@pytest.mark.parametrize("script", [NUT, APCUPSD], ids=["nut", "apcupsd"])
def test_a_program_gets_each_answer_in_the_form_in_which_real_units_give_it(script: list[str]) -> None:
    line = Line(smart=False)
    for characters in script:
        assert line.ask(characters) == [REPLIES[character] for character in characters]


def test_the_command_list_is_in_the_form_that_nut_insists_on_and_names_what_is_answered() -> None:
    line = Line()
    listed = line.say("a").decode("latin-1").removesuffix("\r\n")
    assert re.fullmatch(r"[0-9]\.[^.]*\.[^.]+(\.[^.]+)?", listed)
    version, alerts, commands = listed.split(".")
    assert (version, alerts) == ("3", "!$%+?=#|")
    assert commands.startswith("\x01\x0e\x1a'+-89>@AB")
    harmless = set(commands) - set("\x0e@DKRSUWZz-+\x7f")
    assert [each for each in sorted(harmless) if line.ask(each)[0] in (b"", b"NA\r\n")] == []


def test_the_permitted_values_are_those_of_a_complete_real_reply() -> None:
    assert Line().say("\x1a") == (
        b"#uD43132135138129uM43229234239224uA43110112114108uI43253264271280lD43103100097106lM43177172168182"
        b"lA43090092081085lI43196188208204e44200155090oI43230240220225oD13115oJ13100oM13208s441HMLLq44202050710"
        b"p443020180300600k4410TLNr443000060180300E443336168ON OFF\r\n"
    )


def test_the_choices_of_a_unit_are_those_of_its_locale_and_of_all() -> None:
    assert dict(Line().profile.choices) == {
        "u": ("253", "264", "271", "280"),
        "l": ("196", "188", "208", "204"),
        "e": ("00", "15", "50", "90"),
        "o": ("230", "240", "220", "225"),
        "s": ("H", "M", "L", "L"),
        "q": ("02", "05", "07", "10"),
        "p": ("020", "180", "300", "600"),
        "k": ("0", "T", "L", "N"),
        "r": ("000", "060", "180", "300"),
        "E": ("336", "168", "ON ", "OFF"),
    }
    assert capability_groups("#oD13115") == [("o", "D", ("115",))]


def test_an_old_unit_has_neither_list_nor_model_nor_values_to_choose_from() -> None:
    line = Line(OLD)
    assert line.ask("a\x1a\x01b~'8-") == [b"NA\r\n"] * 8
    assert line.ask("VoslE7") == [b"6TI\r\n", b"225\r\n", b"L\r\n", b"196\r\n", b"OFF\r\n", b"00\r\n"]


def test_no_value_holds_a_character_that_programs_drop_from_replies() -> None:
    """Section 9: names and values must not contain what NUT and apcupsd take for alerts; `j` ends in a colon."""
    for model in (NEW, OLD):
        line = Line(model)
        for character in "\x01VbnmcxGXLMNOFPfBgCulsoepqrkE":
            assert not set(line.ask(character)[0].decode()) & set("!$%+?=#*|&:"), character
