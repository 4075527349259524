"""Numbers, times and classes as people read them, in the language in use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from zoneinfo import ZoneInfo

from tallypost import i18n
from tallypost.backend.figures.spans import local
from tallypost.backend.figures.sums import Figures
from tallypost.i18n import N_, _, grouped, ngettext

WEEKDAYS = (
    N_("Monday"), N_("Tuesday"), N_("Wednesday"), N_("Thursday"), N_("Friday"), N_("Saturday"),
    N_("Sunday"),
)  # fmt: skip
SHORT_DAYS = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))
MONTHS = (
    N_("January"), N_("February"), N_("March"), N_("April"), N_("May"), N_("June"), N_("July"),
    N_("August"), N_("September"), N_("October"), N_("November"), N_("December"),
)  # fmt: skip
CLASS_NAMES = {
    "pedestrian": N_("People on foot"), "bicycle": N_("Bicycles"), "car": N_("Cars"),
    "heavy": N_("Heavy vehicles"), "unknown": N_("Kind not known"),
}  # fmt: skip


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak a language inside, the one of before afterwards."""
    before = i18n.in_use()
    i18n.use(language)
    try:
        yield
    finally:
        i18n.use(before)


def class_name(name: str) -> str:
    """The name of a class, such as "Bicycles"."""
    return _(CLASS_NAMES[name])


def counted(name: str, n: int, *, is_alone: bool = False) -> str:
    """A count with its class, such as "412 bicycles". is_alone: no other class is counted."""
    if name == "unknown" and not is_alone:
        return _("{n} of unknown kind").format(n=grouped(n))
    texts = {
        "pedestrian": ngettext("{n} person on foot", "{n} people on foot", n),
        "bicycle": ngettext("{n} bicycle", "{n} bicycles", n),
        "car": ngettext("{n} car", "{n} cars", n),
        "heavy": ngettext("{n} heavy vehicle", "{n} heavy vehicles", n),
        "unknown": ngettext("{n} passage", "{n} passages", n),
    }
    return texts[name].format(n=grouped(n))


def listed(parts: list[str]) -> str:
    """Parts as people list them."""
    if len(parts) < 2:
        return "".join(parts)
    return _("{first} and {last}").format(first=", ".join(parts[:-1]), last=parts[-1])


def percent(share: float) -> str:
    """A share in whole percent. Only a full share is 100 %, only an empty one is 0 %."""
    n = round(100 * share)
    n = min(n, 99) if share < 1 else n
    return _("{n}%").format(n=max(n, 1) if share > 0 else n)


def day_text(day: date) -> str:
    """Such as "Monday, 1 June 2026"."""
    return _("{weekday}, {day} {month} {year}").format(
        weekday=_(WEEKDAYS[day.weekday()]), day=day.day, month=_(MONTHS[day.month - 1]),
        year=day.year,
    )  # fmt: skip


def clock(utc: float, zone: ZoneInfo) -> str:
    """A time of day, such as 14:15."""
    return local(utc, zone).strftime("%H:%M")


def day_sentences(figures: Figures, as_of: int, zone: ZoneInfo) -> list[str]:
    """A day in one or two sentences: until when, how many, how much of the time was measured."""
    is_whole = as_of >= figures.last
    until = clock(as_of, zone)
    if not figures.is_counted:
        if is_whole:
            return [_("On this day nothing was measured.")]
        return [_("Until {time} nothing was measured.").format(time=until)]
    is_alone = len(figures.classes) == 1
    counts = listed(
        [counted(name, figures.count(name) or 0, is_alone=is_alone) for name in figures.classes]
    )
    first = (
        _("On the whole day: {counts}.").format(counts=counts)
        if is_whole
        else _("Until {time}: {counts}.").format(time=until, counts=counts)
    )
    sentences = [
        first,
        _("{share} of the time was measured.").format(share=percent(figures.coverage)),
    ]
    if figures.state == "partly":
        sentences.append(_("A large part is missing, so the real numbers are higher."))
    return sentences
