"""The catalogues of webapp/translations: `update` them from the texts in the code, `compile` them, `check` them.

English texts are the message ids themselves, so only the other languages have a catalogue. The compiled files are
committed, because the site must run without a build step; `check` holds them to their source.
"""

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

PROJECT_ROOT = Path(__file__).resolve().parent.parent
PACKAGE = PROJECT_ROOT / "webapp"
TRANSLATIONS = PACKAGE / "translations"
LANGUAGES = ("ko",)
SOURCES = [("**.py", "python"), ("templates/**.html", "jinja2"), ("templates/**.txt", "jinja2")]
LOUD = {"templates/**.html": {"silent": "false"}, "templates/**.txt": {"silent": "false"}}  # a broken template raises
KEYWORDS = {**DEFAULT_KEYWORDS, "_l": None, "lazy_gettext": None, "lazy_ngettext": (1, 2), "N_": None}
HEADER = "# The texts of the site in another language. `make translations` adds new texts and compiles."


def catalogue_file(language: str) -> Path:
    return TRANSLATIONS / language / "LC_MESSAGES" / "messages.po"


def texts_in_the_code() -> Catalog:
    """Every text of the code and the templates."""
    texts = Catalog(charset="utf-8")
    found = extract_from_dir(PACKAGE, SOURCES, LOUD, KEYWORDS)
    for file, _line, text, comments, context in sorted(found, key=lambda each: each[:2]):
        texts.add(text, locations=[(file, 0)], auto_comments=comments, context=context)
    return texts


def read(language: str) -> Catalog:
    file = catalogue_file(language)
    if not file.exists():
        return Catalog(
            locale=language, charset="utf-8", header_comment=HEADER, project="login area", version="1", fuzzy=False
        )
    with file.open("rb") as stream:
        return read_po(stream, locale=language)


def update() -> None:
    """Add new texts to the catalogues, untranslated, and drop those that are gone."""
    texts = texts_in_the_code()
    for language in LANGUAGES:
        catalogue = read(language)
        catalogue.update(texts, no_fuzzy_matching=True, update_header_comment=False, update_creation_date=False)
        file = catalogue_file(language)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stream:
            write_po(stream, catalogue, width=120, ignore_obsolete=True, include_lineno=False)


def compiled(catalogue: Catalog) -> bytes:
    stream = io.BytesIO()
    write_mo(stream, catalogue)
    return stream.getvalue()


def compile_all() -> None:
    """Write the .mo file beside each catalogue."""
    for language in LANGUAGES:
        file = catalogue_file(language)
        file.with_suffix(".mo").write_bytes(compiled(read(language)))


def problems(texts: Catalog, language: str) -> list[str]:
    """What is wrong with the catalogue of `language`, one line each, beginning with what to run or where to look."""
    catalogue = read(language)
    found = []
    for text in texts:
        if not text.id:
            continue
        translated = catalogue.get(text.id, text.context)
        if translated is None:
            found.append(f"not in the catalogue, run make translations: {text.id!r}")
        elif not translated.string or (isinstance(translated.string, tuple) and not all(translated.string)):
            found.append(f"not translated: {text.id!r}")
        elif translated.fuzzy:
            found.append(f"marked as fuzzy: {text.id!r}")
        else:
            found += [f"{error}: {text.id!r}" for error in translated.check(catalogue)]
    found += [
        f"no longer in the code, run make translations: {m.id!r}" for m in catalogue if m.id and m.id not in texts
    ]
    found += [f"obsolete, run make translations: {text_id!r}" for text_id in catalogue.obsolete]
    machine_file = catalogue_file(language).with_suffix(".mo")
    if not machine_file.exists() or machine_file.read_bytes() != compiled(catalogue):
        found.append("the compiled file is not that of the catalogue: run make translations")
    return [f"{language}: {problem}" for problem in found]


def check() -> None:
    """Exit with the list of what is wrong, if anything is."""
    texts = texts_in_the_code()
    found = [problem for language in LANGUAGES for problem in problems(texts, language)]
    if found:
        sys.exit("\n".join(found))


def main() -> None:
    commands = {"update": update, "compile": compile_all, "check": check}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(f"usage: {sys.argv[0]} {'|'.join(commands)}")
    commands[sys.argv[1]]()


if __name__ == "__main__":
    main()
