"""Digests: SHA-256 over canonical JSON, with the test vectors of RFC 8785."""

import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.domain.digest import digest
from governance.domain.mutations import StoredMutation

NUMBERS = [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001]
LITERALS = [None, True, False]

VECTORS: dict[str, tuple[Any, str]] = {
    "RFC 8785 3.2.2": (
        {"numbers": NUMBERS, "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/", "literals": LITERALS},
        r"""{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}""",
    ),
    "RFC 8785 3.2.3": (
        {"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
         "\U0001f600": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"},
        '{"\\r":"Carriage Return","1":"One","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis",'
        '"\u20ac":"Euro Sign","\U0001f600":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
    ),
    "zeros": ([0, -0.0, 0.0], "[0,0,0]"),
    "Appendix B": (
        [5e-324, -5e-324, 1.7976931348623157e308, 9007199254740991, 295147905179352830000.0, 9.999999999999997e22,
         1e23, 1.0000000000000001e23, 999999999999999700000.0, 1e21, 9.999999999999997e-7, 0.000001, 333333333.3333332],
        "[5e-324,-5e-324,1.7976931348623157e+308,9007199254740991,295147905179352830000,9.999999999999997e+22,"
        "1e+23,1.0000000000000001e+23,999999999999999700000,1e+21,9.999999999999997e-7,0.000001,333333333.3333332]",
    ),
    "empty": ({"": [], "{}": {}}, '{"":[],"{}":{}}'),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
def test_digest_is_that_of_the_canonical_text(name: str) -> None:
    value, canonical = VECTORS[name]
    assert digest(value) == f"sha256:{sha256(canonical.encode()).hexdigest()}"


def test_digest_of_known_content_never_changes() -> None:
    granted = StoredMutation(type="grant_admin", version=1, payload={"user": "ada"})
    assert granted.digest == digest({"payload": {"user": "ada"}, "type": "grant_admin", "version": 1})
    canonical = b'{"payload":{"user":"ada"},"type":"grant_admin","version":1}'
    assert granted.digest == f"sha256:{sha256(canonical).hexdigest()}"


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-100, 100)), st.randoms())
def test_order_of_keys_does_not_matter(value: dict[str, int], random: Any) -> None:
    keys = list(value)
    random.shuffle(keys)
    assert digest({key: value[key] for key in keys}) == digest(value) == digest(json.loads(json.dumps(value)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, "1"),
        (True, 1),
        (None, "null"),
        ([], {}),
        ([1, 2], [2, 1]),
        ("\u00e9", "e\u0301"),
        ({"a": 1}, {"a": 1, "b": None}),
    ],
)
def test_different_content_has_different_digests(one: Any, other: Any) -> None:
    assert digest(one) != digest(other)
