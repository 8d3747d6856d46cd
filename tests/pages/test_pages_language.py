"""English and Italian: which one a page takes, and that no sentence is left out."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import naas_hub
import naas_spawner
import pytest
from jinja2 import Environment
from markupsafe import Markup
from naas_client.languages import LANGUAGES, Translator, preferred

PACKAGES = [Path(package.__file__).parent for package in (naas_hub, naas_spawner)]
PLURALS = re.compile(r'_\.plural\("([^"]+)", "([^"]+)"')
PLACEHOLDERS = re.compile(r"\{\w+\}")


@pytest.mark.parametrize(
    ("cookie", "accept", "language"),
    [
        ("", "", "en"),
        ("", "it", "it"),
        ("", "it-IT,it;q=0.9,en;q=0.8", "it"),
        ("", "en-GB,en;q=0.9,it;q=0.8", "en"),
        ("", "de;q=1, it;q=0.5, en;q=0.4", "it"),
        ("", "de, fr", "en"),
        ("", "it;q=0", "en"),
        ("it", "en", "it"),
        ("en", "it", "en"),
        ("../../etc", "it", "it"),
        ("", "it;q=zero;;,,\x00" * 100, "en"),
        ("", "x" * 100_000, "en"),
    ],
)
def test_the_persons_choice_comes_before_the_browsers(cookie: str, accept: str, language: str) -> None:
    assert preferred(cookie, accept) == language


def sentences(package: Path) -> set[str]:
    """Every sentence that templates and code of a package have translated."""
    found: set[str] = set()
    environment = Environment(extensions=["jinja2.ext.i18n"])
    for template in (package / "templates").iterdir():
        source = template.read_text()
        calls = [arguments for _, _, arguments in environment.extract_translations(source, ("_",))]
        found |= {call if isinstance(call, str) else str(call[0]) for call in calls}
        found |= {text for pair in PLURALS.findall(source) for text in pair}
    for module in (*package.glob("form.py"), *package.glob("chooser.py")):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"_", "translate", "plural"}:
                found |= {
                    arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
                }
    return found


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
@pytest.mark.parametrize("language", sorted(LANGUAGES.keys() - {"en"}))
def test_every_sentence_is_translated_and_no_other(package: Path, language: str) -> None:
    catalogue = json.loads((package / "locale" / f"{language}.json").read_text())
    assert set(catalogue) == sentences(package)
    for text, translated in catalogue.items():
        assert sorted(PLACEHOLDERS.findall(text)) == sorted(PLACEHOLDERS.findall(translated))


def test_a_sentence_without_translation_stays_english(tmp_path: Path) -> None:
    assert Translator(tmp_path, "it")("Hello {name}", name="alice") == "Hello alice"


def test_markup_in_a_value_makes_the_sentence_markup_and_the_rest_text(tmp_path: Path) -> None:
    sentence = Translator(tmp_path, "en")("{link} of {name}", link=Markup("<a>x</a>"), name="<b>")
    assert sentence == "<a>x</a> of &lt;b&gt;"
    assert hasattr(sentence, "__html__")
