"""The language of texts that a person reads: English in the sources, German from a catalogue.

How to mark a text
------------------
::

    from tallypost.i18n import _, N_, ngettext

    console.note(_("{port}: no such port").format(port=name))
    raise ToolError(_("{path}: no such folder").format(path=path), _("Give another --db."))
    add("--json", action="store_true", help=_("one JSON object a line"))
    text = ngettext("{n} record is missing", "{n} records are missing", n).format(n=n)

- `_()` takes one literal: no f-string, no `+`, no variable. Values go in by `.format()` with named
  placeholders, after the translation. A translator sees a whole sentence, never a fragment.
- A text in a table of a module is marked with `N_()`, which returns it as it is. `_(text)`
  translates it where it is shown: the language is not known yet when a module is imported.
- `ngettext()` is for a text that depends on a number, both forms as literals.
- `decimal()` writes a number with the decimal sign of the language, `grouped()` a whole number
  with its sign between thousands.
- Do not use `_` as a name for a value that is not needed in a function that calls `_()`.
- Machine output stays English and is not marked: keys, topics, `--json`, the content of files.
  With `--json` the whole command speaks English, so a text that goes both ways may be marked.
- Log lines and errors of a node are English, too: they are shown as the node says them.

Then write the German: `.venv/bin/python -m tests.tidy.messages` adds new messages to the
catalogue, in the order of the files they stand in, and drops those that are gone. Fill the empty
`msgstr`. tests/tidy/test_messages.py fails while a German text is missing or its placeholders
differ. After a merge conflict in the catalogue keep both sides and run the program again.

The catalogue is read as it stands in the repository, without a step of building, and only when
another language than English is wanted.
"""

from __future__ import annotations

import argparse
import gettext
import io
import locale
import os
import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "de")
CATALOGUES = Path(__file__).with_name("locale")

_catalogue = gettext.NullTranslations()
_language = "en"


def _(text: str) -> str:
    """A message in the language in use."""
    return _catalogue.gettext(text) if text else ""


def ngettext(one: str, many: str, n: int) -> str:
    """A message that depends on a number, in the language in use."""
    return _catalogue.ngettext(one, many, n)


def N_(text: str) -> str:
    """Mark a message that is translated later, with `_()`."""
    return text


def use(language: str) -> None:
    """Speak a language of LANGUAGES from now on. A text without a translation stays English."""
    global _catalogue, _language
    _catalogue = gettext.NullTranslations() if language == "en" else _read(language)
    _language = language
    # argparse looks its own texts up under these names of its module.
    vars(argparse).update(_=_, ngettext=ngettext)


def in_use() -> str:
    """The language that `use` was called with last."""
    return _language


@cache  # pages change the language often
def _read(language: str) -> gettext.GNUTranslations:
    import polib  # it and the catalogue cost 0.1 s, so English does without

    path = CATALOGUES / language / "LC_MESSAGES" / "tallypost.po"
    return gettext.GNUTranslations(io.BytesIO(polib.pofile(str(path)).to_binary()))


def of_locale(environ: Mapping[str, str] = os.environ) -> str:
    """The language of the locale. It is English where there is no catalogue for that language."""
    named = (environ[key] for key in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(key))
    language = re.split("[_.@]", next(named, _of_windows()).lower())[0]
    return language if language in LANGUAGES else "en"


def _of_windows() -> str:
    """The language of its desktop: Windows sets none of the variables."""
    if sys.platform != "win32":
        return ""
    import ctypes

    return locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "")


def decimal(value: float, places: int) -> str:
    """A number with so many decimal places: 12.5 in English, 12,5 in German."""
    text = f"{value:.{places}f}"
    return text.replace(".", ",") if _language == "de" else text


def grouped(value: int) -> str:
    """A whole number in groups of three digits: 12,500 in English, 12.500 in German."""
    text = f"{value:,}"
    return text.replace(",", ".") if _language == "de" else text
