"""A small evaluator of FileMaker's calculation language: enough to run what our script contains.

Written from the published function reference, not from the generator, so that agreement between them means something.
"""

# ruff: noqa: N802  functions are called as FileMaker calls them

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:\\.|[^"\\])*")|(?P<number>\d+(?:\.\d+)?)|(?P<name>\$?\$?[A-Za-z_][A-Za-z0-9_]*)"""
    r"""|(?P<sign><>|>=|<=|[-+*/&=<>();\[\]]))""",
    re.DOTALL,
)


@dataclass(frozen=True)
class Container:
    """A container's content. `missing`: a reference whose file is gone."""

    data: bytes = b""
    name: str = ""
    storage: str = "Embedded"
    missing: bool = False
    sized: bool = True  #: whether FileMaker knows the size


def tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        assert match is not None, f"not a formula from here: {text[at : at + 60]!r}"
        found.append((match.lastgroup or "", match[match.lastgroup or ""]))
        at = match.end()
    return found


class Parser:
    """Recursive descent; a tree of tuples."""

    LEVELS = (("or",), ("and",), ("=", "<>", "<", ">", "<=", ">="), ("&",), ("+", "-"), ("*", "/"))

    def __init__(self, text: str) -> None:
        self.tokens = tokens(text)
        self.at = 0

    def parse(self) -> Any:
        tree = self.level(0)
        assert self.at == len(self.tokens), f"left over: {self.tokens[self.at :][:5]}"
        return tree

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, expected: str = "") -> tuple[str, str]:
        token = self.tokens[self.at]
        assert not expected or token[1] == expected, f"{expected} expected, {token} found"
        self.at += 1
        return token

    def level(self, number: int) -> Any:
        if number == len(self.LEVELS):
            return self.unary()
        left = self.level(number + 1)
        while self.peek() in self.LEVELS[number] and self.tokens[self.at][0] != "text":
            operator = self.take()[1]
            left = ("op", operator, left, self.level(number + 1))
        return left

    def unary(self) -> Any:
        if self.peek() in ("not", "-") and self.tokens[self.at][0] != "text":
            return ("unary", self.take()[1], self.unary())
        return self.primary()

    def primary(self) -> Any:
        kind, text = self.take()
        if kind == "text":
            return ("text", unquote(text))
        if kind == "number":
            return ("number", float(text) if "." in text else int(text))
        if text == "(":
            inner = self.level(0)
            self.take(")")
            return inner
        if text == "[":
            return ("list", self.arguments("]"))
        if self.peek() == "(":
            self.take("(")
            if text == "Let":
                return self.let()
            return ("call", text, self.arguments(")"))
        return ("name", text)

    def let(self) -> Any:
        bindings = []
        many = self.peek() == "["
        if many:
            self.take("[")
        while True:
            kind, name = self.take()
            assert kind == "name"
            self.take("=")
            bindings.append((name, self.level(0)))
            if not many or self.peek() == "]":
                break
            self.take(";")
        if many:
            self.take("]")
        self.take(";")
        body = self.level(0)
        self.take(")")
        return ("let", bindings, body)

    def arguments(self, closing: str) -> list[Any]:
        found = []
        while self.peek() != closing or self.tokens[self.at][0] == "text":
            found.append(self.level(0))
            if self.peek() == ";":
                self.take()
        self.take(closing)
        return found


def unquote(literal: str) -> str:
    return re.sub(r"\\(.)", r"\1", re.sub(r"(?<!\\)¶", "\r", literal[1:-1]), flags=re.DOTALL)


def as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, Container):
        return "?"
    if isinstance(value, date):
        return f"{value.month}/{value.day}/{value.year}"
    return str(value)


def as_number(value: Any) -> float | int:
    if isinstance(value, (int, float)):
        return value
    digits = re.sub(r"[^0-9.\-]", "", as_text(value))
    return (float(digits) if "." in digits else int(digits)) if digits.strip("-.") else 0


def truth(value: Any) -> bool:
    return as_number(value) != 0


class Evaluator:
    """`variables` and `get` (of `Get ( Name )`) belong to the machine that runs the script."""

    def __init__(
        self,
        variables: dict[str, Any],
        get: Callable[[str], Any],
        field: Callable[[str], Any],
        kinds: Callable[[str], str],
    ) -> None:
        self.variables = variables
        self.get = get
        self.field = field
        self.kinds = kinds
        self.scopes: list[dict[str, Any]] = []
        self.trees: dict[str, Any] = {}

    def run(self, formula: str) -> Any:
        if formula not in self.trees:
            self.trees[formula] = Parser(formula).parse()
        return self.value(self.trees[formula])

    def value(self, tree: Any) -> Any:
        kind = tree[0]
        if kind in ("text", "number"):
            return tree[1]
        if kind == "name":
            return self.name(tree[1])
        if kind == "let":
            return self.let(tree[1], tree[2])
        if kind == "unary":
            inner = self.value(tree[2])
            return not truth(inner) if tree[1] == "not" else -as_number(inner)
        if kind == "op":
            return self.operate(tree[1], tree[2], tree[3])
        return self.call(tree[1], tree[2])

    def name(self, name: str) -> Any:
        if name.startswith("$"):
            return self.variables.get(name, "")
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        if name.startswith("JSON"):
            return name
        raise AssertionError(f"FileMaker would not know {name}")

    def operate(self, operator: str, left: Any, right: Any) -> Any:
        if operator == "and":
            return truth(self.value(left)) and truth(self.value(right))
        if operator == "or":
            return truth(self.value(left)) or truth(self.value(right))
        a, b = self.value(left), self.value(right)
        if operator == "&":
            return as_text(a) + as_text(b)
        if operator in "+-*/":
            x, y = as_number(a), as_number(b)
            return {"+": x + y, "-": x - y, "*": x * y}[operator]
        if isinstance(a, str) or isinstance(b, str):
            numeric = not (isinstance(a, str) and isinstance(b, str))
            a, b = (as_number(a), as_number(b)) if numeric else (as_text(a).casefold(), as_text(b).casefold())
        return {"=": a == b, "<>": a != b, "<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b}[operator]

    def call(self, name: str, arguments: list[Any]) -> Any:
        if name == "Get":
            return self.get(arguments[0][1])
        if name == "If":
            if truth(self.value(arguments[0])):
                return self.value(arguments[1])
            return self.value(arguments[2]) if len(arguments) > 2 else ""
        if name == "Case":
            for index in range(0, len(arguments) - 1, 2):
                if truth(self.value(arguments[index])):
                    return self.value(arguments[index + 1])
            return self.value(arguments[-1]) if len(arguments) % 2 else ""
        if name in ("Substitute", "JSONSetElement"):
            rows = [[self.value(part) for part in row[1]] for row in arguments[1:]]
            return getattr(self, "f_" + name)(self.value(arguments[0]), rows)
        return getattr(self, "f_" + name)(*map(self.value, arguments))

    def let(self, bindings: list[tuple[str, Any]], body: Any) -> Any:
        scope: dict[str, Any] = {}
        self.scopes.append(scope)
        try:
            for name, formula in bindings:
                scope[name] = self.value(formula)
            return self.value(body)
        finally:
            self.scopes.pop()

    def f_Substitute(self, text: Any, rows: list[list[Any]]) -> str:
        for old, new in rows:
            text = as_text(text).replace(as_text(old), as_text(new))
        return text

    def f_JSONSetElement(self, text: Any, rows: list[list[Any]]) -> str:
        data = json.loads(text)
        for key, value, kind in rows:
            if kind == "JSONString":
                done: Any = as_text(value)
            elif kind == "JSONNumber":
                done = as_number(value)
            else:
                done = json.loads(value)
            match = re.fullmatch(r"(\w+)\[(\d+)\]", key)
            if match:
                items = data.setdefault(match[1], [])
                assert len(items) == int(match[2])
                items.append(done)
            else:
                assert re.fullmatch(r"\w+", key), f"{key} would be read as a path"
                data[key] = done
        return json.dumps(data, ensure_ascii=False)

    def f_JSONGetElement(self, text: Any, key: Any) -> Any:
        try:
            return as_text(json.loads(as_text(text) or "{}").get(key, ""))
        except ValueError:
            return "? * Line 1, Column 1"

    def f_Char(self, code: Any) -> str:
        return chr(int(code))

    def f_IsEmpty(self, value: Any) -> bool:
        return not isinstance(value, Container) and as_text(value) == ""

    def f_Left(self, text: Any, count: Any) -> str:
        return as_text(text)[: int(count)]

    def f_Right(self, text: Any, count: Any) -> str:
        return as_text(text)[-int(count) :]

    def f_Middle(self, text: Any, start: Any, count: Any) -> str:
        return as_text(text)[int(start) - 1 : int(start) - 1 + int(count)]

    def f_Length(self, text: Any) -> int:
        return len(as_text(text))

    def f_Position(self, text: Any, part: Any, start: Any, occurrence: Any) -> int:
        at = int(start) - 1
        for _ in range(int(occurrence)):
            at = as_text(text).lower().find(as_text(part).lower(), at) + 1
            if at == 0:
                return 0
        return at

    def f_PatternCount(self, text: Any, part: Any) -> int:
        return as_text(text).lower().count(as_text(part).lower())

    def f_Lower(self, text: Any) -> str:
        return as_text(text).lower()

    def f_Trim(self, text: Any) -> str:
        return as_text(text).strip(" ")

    def f_Exact(self, a: Any, b: Any) -> bool:
        return as_text(a) == as_text(b)

    def f_Filter(self, text: Any, allowed: Any) -> str:
        return "".join(c for c in as_text(text) if c in allowed)

    def f_GetValue(self, text: Any, number: Any) -> str:
        values = as_text(text).split("\r")
        return values[int(number) - 1] if 0 < int(number) <= len(values) else ""

    def f_GetField(self, name: Any) -> Any:
        return self.field(as_text(name))

    def f_FieldType(self, file: Any, name: Any) -> str:
        return self.kinds(as_text(name))

    def f_GetAsText(self, value: Any) -> str:
        return as_text(value)

    def f_GetAsNumber(self, value: Any) -> Any:
        return "" if as_text(value) == "" else as_number(value)

    def f_GetAsBoolean(self, value: Any) -> bool:
        return truth(value)

    def f_GetAsDate(self, value: Any) -> Any:
        """A text is read by the file's locale, here the American one."""
        match = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", as_text(value))
        return date(int(match[3]), int(match[1]), int(match[2])) if match else "?"

    def f_IsValid(self, value: Any) -> bool:
        return value != "?"

    def f_Year(self, value: Any) -> int:
        return value.year

    def f_Month(self, value: Any) -> int:
        return value.month

    def f_Day(self, value: Any) -> int:
        return value.day

    def f_Mod(self, a: Any, b: Any) -> Any:
        return as_number(a) % as_number(b)

    def f_GetContainerAttribute(self, value: Any, name: Any) -> Any:
        assert isinstance(value, Container)
        known = {
            "filename": value.name,
            "storageType": value.storage,
            "fileSize": len(value.data) if value.sized and not value.missing else "?",
            "MD5": "?" if value.missing else hashlib.md5(value.data).hexdigest().upper(),
        }
        return known.get(name, "?")

    def f_CryptDigest(self, value: Any, kind: Any) -> Container:
        assert kind == "SHA256" and isinstance(value, Container)
        return Container(hashlib.sha256(value.data).digest())

    def f_HexEncode(self, value: Any) -> str:
        return value.data.hex().upper()

    def f_Quote(self, text: Any) -> str:
        return '"' + as_text(text).replace("\\", "\\\\").replace('"', '\\"') + '"'

    def f_Evaluate(self, formula: Any) -> Any:
        return self.run(as_text(formula))

    def f_VerifyContainer(self, value: Any) -> Any:
        return 1 if isinstance(value, Container) else "?"
