"""Parsers of files that map keys to values, as calibration tools write them: YAML, JSON and OpenCV's XML.

Files are untrusted. The caller bounds their size; here nesting is bounded, aliases and entities are refused, and tags
construct nothing.
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeAlias

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

from gyro.errors import LogError

Value: TypeAlias = "float | str | list[Value] | dict[str, Value] | None"
"""What a key maps to. Every number is a float."""

MAX_DEPTH = 20
MAX_YAML_CHARACTERS = 1 << 20  # PyYAML needs up to 12 s for as many
_YAML_DIRECTIVE = re.compile(r"\A\s*%YAML[^\n]*")  # OpenCV writes "%YAML:1.0", which no YAML parser accepts
_TAG = "tag:yaml.org,2002:"
_FLOAT = re.compile(r"[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?\Z", re.ASCII)
_NULL = re.compile(r"(?:~|null|Null|NULL)?\Z")


def parse_keys(text: str) -> dict[str, Value]:
    """Parse YAML, JSON or OpenCV's XML, whichever the first character says it is. Raises LogError."""
    start = text.lstrip()[:1]
    return parse_json(text) if start == "{" else parse_xml(text) if start == "<" else parse_yaml(text)


def parse_yaml(text: str) -> dict[str, Value]:
    """Parse a YAML document whose top level is a mapping. Scalars follow the core schema of YAML 1.2, in which 1e-5 is
    a number and 12:30 is not. Tags such as OpenCV's !!opencv-matrix are ignored.

    Raises LogError, with the line where there is one, for text that is not YAML, has aliases, is nested deeper than
    MAX_DEPTH or longer than MAX_YAML_CHARACTERS.
    """
    if len(text) > MAX_YAML_CHARACTERS:
        raise LogError(f"more than {MAX_YAML_CHARACTERS >> 20} MiB of YAML is not a calibration file")
    try:
        value = yaml.load(_YAML_DIRECTIVE.sub("", text), Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise LogError(f"line {mark.line + 1 if mark else 1}: not valid YAML ({error.problem})") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # control characters, "\UFFFFFFFF"
        raise LogError(f"not valid YAML ({str(error).splitlines()[0]})") from error
    return _mapping(value, "YAML")


def parse_json(text: str) -> dict[str, Value]:
    """Parse a JSON object. Raises LogError for anything else."""
    try:
        return _mapping(json.loads(text, parse_int=float), "JSON")
    except (ValueError, RecursionError) as error:
        raise LogError(f"not valid JSON ({error})") from error


def parse_xml(text: str) -> dict[str, Value]:
    """Parse OpenCV's XML: an element with children is a mapping, one without is a number, a list of numbers or text.

    Raises LogError for text that is not XML, has a document type or entities, or is nested deeper than MAX_DEPTH.
    """
    from defusedxml import DefusedXmlException, ElementTree

    try:
        root = ElementTree.fromstring(text, forbid_dtd=True)
    except DefusedXmlException as error:
        raise LogError("an XML file with a document type or entities is refused; remove them") from error
    except (ElementTree.ParseError, ValueError) as error:
        raise LogError(f"not valid XML ({error})") from error
    return _mapping(_element_value(root, 0), "XML")


def _mapping(value: Any, kind: str) -> dict[str, Value]:
    if not isinstance(value, dict):
        raise LogError(f"its {kind} does not map keys to values")
    return value


def _element_value(element: Any, depth: int) -> Value:
    if depth > MAX_DEPTH:
        raise LogError(f"nested deeper than {MAX_DEPTH}")
    if len(element):
        return {child.tag: _element_value(child, depth + 1) for child in element}
    words = (element.text or "").split()
    try:
        numbers: list[Value] = [float(word) for word in words]
    except ValueError:
        return " ".join(words)
    return numbers[0] if len(numbers) == 1 else numbers


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2, bounded in depth and without aliases."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node unless it is an alias, a few of which could expand to billions of values, or nested too
        deep."""
        problem = "aliases are not supported" if self.check_event(yaml.AliasEvent) else ""
        problem = f"nested deeper than {MAX_DEPTH}" if self.depth > MAX_DEPTH else problem
        if problem:
            raise ComposerError(None, None, problem, self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Value]:  # type: ignore[override]
        """Construct a mapping whose keys are strings."""
        return {str(key): value for key, value in super().construct_mapping(node, deep).items()}

    def construct_number(self, node: yaml.ScalarNode) -> float:
        """Construct a float, whether the tag says integer or float."""
        text = self.construct_scalar(node)
        if not _FLOAT.match(text):
            raise ConstructorError(None, None, f"{text[:40]!r} is not a number", node.start_mark)
        return float(text)


# Only these: no dates, yes and no, or base 60 of YAML 1.1. PyYAML ignores tags that it does not know.
_Loader.yaml_implicit_resolvers = {}
_Loader.yaml_constructors = {}
_Loader.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+.0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}null", _NULL, ["~", "n", "N", ""])
for _name, _constructor in {
    "float": _Loader.construct_number,
    "int": _Loader.construct_number,
    "null": _Loader.construct_yaml_null,
    "str": _Loader.construct_yaml_str,
    "seq": _Loader.construct_yaml_seq,
    "map": _Loader.construct_yaml_map,
}.items():
    _Loader.add_constructor(f"{_TAG}{_name}", _constructor)
