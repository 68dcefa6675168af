"""PostgreSQL's binary array format, so that a flush of many events is four parameters and no transcoding."""

import struct
from collections.abc import Sequence
from itertools import chain

INT4_OID = 23
INT8_OID = 20
TEXT_OID = 25
INT4_ARRAY_OID = 1007
INT8_ARRAY_OID = 1016
TEXT_ARRAY_OID = 1009

_HEADER = struct.Struct(">iiIii")
_LENGTH = struct.Struct(">i")
_INT8 = struct.Struct(">q")


def int8(number: int) -> bytes:
    """Returns a bigint parameter."""
    return _INT8.pack(number)


def text_array(texts: Sequence[bytes]) -> bytes:
    """Returns a text[] parameter of UTF-8 texts."""
    parts = [_HEADER.pack(1, 0, TEXT_OID, len(texts), 1)]
    for text in texts:
        parts.append(_LENGTH.pack(len(text)))
        parts.append(text)
    return b"".join(parts)


def int8_array(numbers: Sequence[int]) -> bytes:
    """Returns a bigint[] parameter."""
    pairs = chain.from_iterable((8, number) for number in numbers)
    return _HEADER.pack(1, 0, INT8_OID, len(numbers), 1) + struct.pack(">" + "iq" * len(numbers), *pairs)


def int4_array(numbers: Sequence[int]) -> bytes:
    """Returns an integer[] parameter."""
    pairs = chain.from_iterable((4, number) for number in numbers)
    return _HEADER.pack(1, 0, INT4_OID, len(numbers), 1) + struct.pack(">" + "ii" * len(numbers), *pairs)


def read_int8(value: bytes | None) -> int:
    """Returns the number of a bigint column, 0 for NULL."""
    number: int = _INT8.unpack(value)[0] if value is not None else 0
    return number


def read_int8_array(value: bytes) -> list[int | None]:
    """Returns the numbers of a one-dimensional bigint[] column, None for NULL."""
    has_nulls = value[7]
    if not has_nulls:
        return [number for _, number in struct.iter_unpack(">iq", value[_HEADER.size :])]
    numbers: list[int | None] = []
    at = _HEADER.size
    while at < len(value):
        length = _LENGTH.unpack_from(value, at)[0]
        at += 4
        numbers.append(None if length < 0 else _INT8.unpack_from(value, at)[0])
        at += max(0, length)
    return numbers
