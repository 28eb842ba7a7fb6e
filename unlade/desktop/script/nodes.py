"""XML as FileMaker's clipboard wants it: two-space indentation, text never padded, calculations in CDATA.

Source: DESKTOP.md 1.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr


@dataclass(frozen=True, slots=True)
class Node:
    """One element. `text` and `children` exclude each other; `cdata` wraps the text."""

    tag: str
    attributes: tuple[tuple[str, str], ...] = ()
    children: tuple[Node, ...] = field(default=())
    text: str | None = None
    cdata: bool = False


def node(tag: str, *children: Node, text: str | None = None, **attributes: str) -> Node:
    """An element, its attributes in the given order."""
    return Node(tag, tuple(attributes.items()), children, text)


def calculation(formula: str) -> Node:
    """`<Calculation><![CDATA[...]]></Calculation>`."""
    return Node("Calculation", text=formula, cdata=True)


def write(root: Node) -> str:
    """The document: declaration, two-space indentation, line feeds, one at the end."""
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', *_lines(root, "")]) + "\n"


def _lines(item: Node, indent: str) -> list[str]:
    head = item.tag + "".join(f" {name}={quoteattr(value)}" for name, value in item.attributes)
    if item.text is not None:
        return [f"{indent}<{head}>{_cdata(item.text) if item.cdata else escape(item.text)}</{item.tag}>"]
    if not item.children:
        return [f"{indent}<{head}/>"]
    inner = [line for child in item.children for line in _lines(child, indent + "  ")]
    return [f"{indent}<{head}>", *inner, f"{indent}</{item.tag}>"]


def _cdata(text: str) -> str:
    """A calculation that ends in `]` gets a blank: `]]]>` is legal and still trips fragile parsers (DESKTOP.md 8.7)."""
    padded = text + " " if text.endswith("]") else text
    return "<![CDATA[" + padded.replace("]]>", "]]]]><![CDATA[>") + "]]>"
