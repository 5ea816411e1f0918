"""Reading the YAML of people: what texts mean, where things stand, and what is refused."""

from __future__ import annotations

import pytest

from schemas.errors import FileRefused
from schemas.file_positions import Path, Place
from schemas.yaml_file import MAX_BYTES, MAX_NESTING, decode_text, read_yaml


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("2026-11-01", "2026-11-01"),
        ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"),
        ("12:30:00", "12:30:00"),
        ("10000 EUR", "10000 EUR"),
        ("012", 12),
        ("0x1F", 31),
        ("0o17", 15),
        ("-3", -3),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        ("+.5", 0.5),
        ("7d", "7d"),
        ("'7'", "7"),
        ('"true"', "true"),
        ("=", "="),
    ],
)
def test_scalars_are_those_of_yaml_1_2(written: str, meant: object) -> None:
    data, _ = read_yaml(f"key: {written}", "x")
    assert data == {"key": meant}
    assert type(data["key"]) is type(meant)


def test_keys_are_texts() -> None:
    data, _ = read_yaml("1: a\ntrue: b\nnull: c\n2026-11-01: d", "x")
    assert data == {"1": "a", "true": "b", "null": "c", "2026-11-01": "d"}


def test_an_empty_file_is_nothing() -> None:
    assert read_yaml("# only a comment\n", "x")[0] is None


TEXT = """\
name: Acme
variants:
  - name: core
    fit: [{weight: 25}, {weight: lots}]
    empty:
"""


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        (("name",), 1, 7),
        (("variants",), 2, 1),
        (("variants", 0), 3, 5),
        (("variants", 0, "name"), 3, 11),
        (("variants", 0, "fit"), 4, 5),
        (("variants", 0, "fit", 1), 4, 25),
        (("variants", 0, "fit", 1, "weight"), 4, 34),
        (("variants", 0, "empty"), 5, 5),
        (("variants", 0, "missing"), 3, 5),
        (("variants", 0, "a union's tag", "name"), 3, 11),
        ((), 1, 1),
    ],
)
def test_everything_has_its_place(path: Path, line: int, column: int) -> None:
    _, positions = read_yaml(TEXT, "x")
    assert positions.locate(path) == Place(line, column)


def test_keys_have_their_place_too() -> None:
    _, positions = read_yaml(TEXT, "x")
    assert positions.locate(("variants", 0, "fit", 1, "weight"), on_key=True) == Place(4, 26)


def test_paths_are_shown_as_people_read_them() -> None:
    _, positions = read_yaml(TEXT, "x")
    assert positions.shown(("variants", 0, "fit", 1, "weight")) == "variants[0].fit[1].weight"
    assert positions.shown(("variants", 0, "because")) == "variants[0].because"


def refusal(text: str) -> tuple[str, int | None]:
    with pytest.raises(FileRefused) as refused:
        read_yaml(text, "x.yaml")
    problem = refused.value.problems[0]
    return problem.code, problem.line


def test_laughs_are_refused_before_they_grow() -> None:
    laughs = "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert refusal(laughs) == ("anchor", 1)


def test_size_and_depth_are_bounded() -> None:
    assert refusal("a: b\n" * (MAX_BYTES // 5 + 1)) == ("too_large", 1)
    assert refusal("ok: 1\na: " + "x" * 30_000) == ("too_large", 2)
    assert refusal("[" * (MAX_NESTING + 1)) == ("too_deep", 1)
    deep, _ = read_yaml("[" * MAX_NESTING + "]" * MAX_NESTING, "x")
    for _ in range(MAX_NESTING - 1):
        (deep,) = deep
    assert deep == []


@pytest.mark.parametrize("text", ["a: \x07", 'a: "\\u0007"', 'a: "\\ud800"', '"\\u202e": 1'])
def test_characters_that_could_fool_a_reader_are_refused(text: str) -> None:
    assert refusal(text) == ("characters", 1)


def test_a_directive_is_refused() -> None:
    assert refusal("%YAML 1.1\n---\na: yes")[0] == "directive"


def test_a_file_that_is_not_utf8_is_refused_with_its_place() -> None:
    with pytest.raises(FileRefused) as refused:
        decode_text("a: 1\nb: müde".encode("latin-1"), "x.yaml")
    (problem,) = refused.value.problems
    assert (problem.code, problem.line, problem.column) == ("not_utf8", 2, 5)


def test_a_byte_order_mark_is_no_part_of_the_file() -> None:
    assert decode_text("\ufeffname: x".encode(), "x") == "name: x"
