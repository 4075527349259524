"""HTML elements as text. A text is escaped when it goes into an element, an element is not."""

from __future__ import annotations

from html import escape

_VOID = {
    "meta",
    "link",
    "img",
    "br",
    "hr",
    "rect",
    "line",
    "circle",
    "path",
    "polyline",
    "polygon",
}
Attribute = str | int | float | bool | None


class Html(str):
    """Text that is HTML or SVG already."""


Child = str | Html | None


def el(name: str, /, *children: Child, **attributes: Attribute) -> Html:
    """An element. `class_` is `class`, `aria_label` is `aria-label`. None and False: left out."""
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID and not children:
        return Html(f"<{name}{written}/>" if name in _SVG_VOID else f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


_SVG_VOID = _VOID - {"meta", "link", "img", "br", "hr"}


def join(*children: Child) -> Html:
    """Children one after the other."""
    return Html("".join(c if isinstance(c, Html) else escape(c) for c in children if c))


def _attribute(key: str, value: Attribute) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f' {name}="{escape(text, quote=True)}"'
