"""`tallypost pages`: what a citizen reads, and what a page may hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.tidy.source import ROOT
from tests.tools.city import city, days
from tests.tools.sites import site_files

from tallypost.backend.pages import explain, theme
from tallypost.backend.pages.charts import nice_top
from tallypost.backend.pages.wording import percent, speaking
from tallypost.cli import main
from tallypost.faults import ToolError

PAGE_MAX_BYTES = 100_000
LIX_MAX = 40.0


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("city")
    (folder / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    city.build(folder, 'logo = "logo.svg"\nnotice = {de = "Beispiel", en = "Example"}\n')
    return folder / "out"


def pages(out: Path) -> list[Path]:
    return sorted(out.rglob("*.html"))


def test_today_is_one_sentence(out: Path) -> None:
    german = city.Page(out / "loewenplatz/index.html").text
    # 57 quarters with 4 cars, one bicycle forward and one backward, without 3 and 9 o'clock.
    assert "Bis 14:15 Uhr: 102 Fahrräder, 196 Autos und 0 schwere Fahrzeuge." in german
    assert "93 % der Zeit wurde gemessen." in german and "Mittwoch, 10. Juni 2026" in german
    english = city.Page(out / "en/loewenplatz/index.html").text
    assert "Until 14:15: 102 bicycles, 196 cars and 0 heavy vehicles." in english
    assert "93% of the time was measured." in english
    easy = city.Page(out / "easy/loewenplatz/index.html").text
    assert "Wir haben bis 14:15 Uhr gezählt." in easy and "196" in easy


def test_not_measured_looks_unlike_zero(out: Path) -> None:
    page = city.Page(out / "loewenplatz/index.html")
    day = 24 * 3  # slots of three classes
    assert len(page.all("rect", "unseen")) == 3 + 1  # 9 o'clock of each class, and the legend
    zeros = page.all("rect", "zero")
    assert 3 < len(zeros) < day and all(rect["height"] == "2" for rect in zeros)
    rows = re.findall(r"<tr>.*?</tr>", page.source)
    [three] = [row for row in rows if ">03:00<" in row]
    [nine] = [row for row in rows if ">09:00<" in row]
    assert three.count("<td>0</td>") == 2 and "100 %" in three
    assert nine.count("nicht gemessen") == 3 and "<td>0 %</td>" in nine
    assert not any(">15:00<" in row for row in rows)  # it is not that late


def test_last_week_and_the_usual_day_are_drawn_where_they_are_known(out: Path) -> None:
    page = city.Page(out / "loewenplatz/index.html")
    assert page.all("line", "last") and page.all("line", "usual")
    assert "eine Woche davor" in page.text and "üblicher Tag" in page.text
    other = city.Page(out / "wehr/index.html")  # it counts for three days
    assert not other.all("line", "last") and "üblicher Tag" not in other.text


def test_a_page_needs_no_script_no_cookie_and_nobody_else(out: Path) -> None:
    assert len(pages(out)) == 4 * (2 + 2)
    for path in pages(out):
        page = city.Page(path)
        assert len(page.source.encode()) < PAGE_MAX_BYTES, path
        assert not page.all("script") and not page.all("iframe") and not page.all("form")
        loaded = [one["href"] for one in page.all("link") if one["rel"] != "alternate"]
        loaded += [one["src"] for one in page.all("img")]
        assert loaded and not any(":" in one for one in loaded), path
        assert not any(key.startswith("on") or key == "style" for _t, a in page.tags for key in a)


def test_links_lead_to_files_and_ids_are_unique(out: Path) -> None:
    for path in pages(out):
        page = city.Page(path)
        for one in page.all("a") + page.all("link"):
            target = one["href"]
            if not re.match(r"[a-z]+:|#", target):
                assert (path.parent / target).is_file(), (path, target)
        ids = [a["id"] for _tag, a in page.tags if "id" in a]
        assert len(ids) == len(set(ids)), path
        assert page.all("html")[0]["lang"] in ("de", "en") and page.all("h1")


def test_only_pages_that_changed_are_written(tmp_path: Path) -> None:
    first = city.build(tmp_path)
    assert first.same == [] and "wehr/index.html" in first.changed
    again = city.build(tmp_path)
    over = {name for name in first.changed if name.endswith("-2026-05.csv")}  # months, kept
    assert again.changed == [] and set(again.same) == set(first.changed) - over
    start = days.utc("2026-06-10T14:15")
    days.store(tmp_path / "counts.sqlite", "path", [(start, 900, {"bicycle": 5})], first=9000)
    later = city.build(tmp_path, now="2026-06-10T14:35")
    assert "wehr/index.html" in later.changed and "index.html" in later.changed
    assert not any("loewenplatz" in name for name in later.changed)


def test_names_of_sites_are_text_and_no_markup(tmp_path: Path) -> None:
    sites = site_files.write(tmp_path, ('"Am Wehr"', "'<script>alert(1)</script> & \"Wehr\"'"))
    city.build(tmp_path, sites=sites)
    page = city.Page(tmp_path / "out/wehr/index.html")
    assert not page.all("script") and '<script>alert(1)</script> & "Wehr"' in page.text


def test_a_day_without_data_says_so(tmp_path: Path) -> None:
    city.build(tmp_path, now="2026-06-11T12:00")
    page = city.Page(tmp_path / "out/wehr/index.html")
    assert "Bis 12:00 Uhr wurde nicht gemessen." in page.text
    assert "Das Gerät hat nicht gezählt." in city.Page(tmp_path / "out/easy/wehr/index.html").text


def test_a_whole_day_and_a_day_of_25_hours(tmp_path: Path) -> None:
    days.store(tmp_path / "counts.sqlite", "gate-2", days.day("2026-10-25T00:00", 100))
    city.build(tmp_path, now="2026-10-26T00:00")
    page = city.Page(tmp_path / "out/loewenplatz/index.html")
    assert "Am ganzen Tag: 200 Fahrräder, 400 Autos" in page.text
    assert "100 % der Zeit wurde gemessen." in page.text
    assert page.text.count("02:00 (noch einmal)") == 1


@pytest.mark.parametrize(
    ("look", "reason"),
    [
        ('accent = "#ffcc00"', "contrast of 1.5:1"),
        ('accent = "red"', "is no colour"),
        ('colour = "#123456"', "unknown key 'colour'"),
        ('logo = "none.svg"', "no such file"),
        ('language = "fr"', "language = fr is wrong"),
        ("accent =", "not TOML"),
        ('outline = "theme.toml"', "no GeoJSON"),
    ],
)
def test_a_theme_that_makes_no_good_page_is_named(tmp_path: Path, look: str, reason: str) -> None:
    with pytest.raises(ToolError, match=reason):
        city.build(tmp_path, look)


def test_contrast_is_that_of_wcag() -> None:
    assert theme.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert theme.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_the_accuracy_on_the_page_is_that_of_the_detectors() -> None:
    text = (ROOT / "lib/passage/TRUST.md").read_text(encoding="utf-8")
    found = re.findall(
        r"^- \*\*(\w+)\*\*: in free .*? (\d+) of 1,000 passages.*?Of 1,000 counts (\d+) are"
        r".*?Of 100 pairs side by side (\d+) count",
        text, re.MULTILINE,
    )  # fmt: skip
    assert {name: explain.Accuracy(*map(int, rest)) for name, *rest in found} == explain.ACCURACY


def test_german_sentences_are_plain(out: Path) -> None:
    """LIX: words in a sentence, and the percentage of words of more than six letters."""
    for name in ("loewenplatz/index.html", "about/index.html", "easy/loewenplatz/index.html"):
        source = city.Page(out / name).source
        body = source[source.index("<main") : source.index("</main>")]
        said = re.findall(r"<(?:p|li)[^>]*>([^<]+[.!?])", body)
        text = re.sub(r"\d[\d.:]*", "0", " ".join(said))
        words = re.findall(r"\w+", text)
        sentences = len(re.findall(r"[.!?:]", text))
        lix = len(words) / sentences + 100 * sum(len(w) > 6 for w in words) / len(words)
        assert len(words) > 30 and lix <= (30 if "easy" in name else LIX_MAX), (name, lix)


def test_numbers_are_rounded_honestly() -> None:
    assert [percent(n) for n in (1, 0.9999, 0.004, 0)] == ["100%", "99%", "1%", "0%"]
    with speaking("de"):
        assert percent(0.5) == "50 %"
    assert [nice_top(n) for n in (0, 3, 5, 11, 61, 7000)] == [2, 4, 6, 20, 80, 8000]


def test_the_command_writes_the_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    city.fill(tmp_path / "counts.sqlite")
    words = ["pages", "--database", tmp_path / "counts.sqlite", "--sites",
             site_files.write(tmp_path), "--out", tmp_path / "out", "--at", city.NOW]  # fmt: skip
    assert main([*map(str, words), "--lang", "en"]) == 0
    assert "28 files written, 0 unchanged" in capsys.readouterr().out
    assert main([*map(str, words), "--json"]) == 0
    assert '"changed": [], "same": 26' in capsys.readouterr().out
    assert main([*map(str, words[:-1]), "today"]) == 2
