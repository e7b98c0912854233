"""Models as bytes."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.archive import pack, unpack
from models.errors import BadModelBytesError

SAVED = pack("thing", 3, {"a": np.arange(5.0), "b": np.zeros((2, 2), dtype=np.float32)}, {"words": ["é", 1]})


def test_what_was_packed_comes_back():
    arrays, about = unpack("thing", 3, SAVED)
    assert arrays["a"].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert arrays["b"].dtype == np.float32
    assert about == {"words": ["é", 1]}


@given(at=st.integers(0, len(SAVED) - 1), flip=st.integers(1, 255))
def test_a_flipped_byte_is_noticed_or_harmless(at, flip):
    damaged = bytearray(SAVED)
    damaged[at] ^= flip
    try:
        arrays, about = unpack("thing", 3, bytes(damaged))
    except BadModelBytesError:
        return
    assert about == {"words": ["é", 1]}
    assert {name: array.tolist() for name, array in arrays.items()} == {"a": [0, 1, 2, 3, 4], "b": [[0, 0], [0, 0]]}


@given(length=st.integers(0, len(SAVED) - 1))
def test_bytes_cut_short_are_refused(length):
    with pytest.raises(BadModelBytesError, match="no saved thing"):
        unpack("thing", 3, SAVED[:length])


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(data):
    with pytest.raises(BadModelBytesError, match="no saved thing"):
        unpack("thing", 3, data)


def test_an_array_file_of_numpy_is_refused():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    with pytest.raises(BadModelBytesError, match="no saved thing"):
        unpack("thing", 3, buffer.getvalue())


def test_an_archive_of_somebody_elses_is_refused():
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3))
    with pytest.raises(BadModelBytesError, match="no saved thing"):
        unpack("thing", 3, buffer.getvalue())


def test_pickled_objects_are_refused():
    buffer = io.BytesIO()
    np.savez(buffer, rollcast=np.array([{"kind": "thing"}], dtype=object))
    with pytest.raises(BadModelBytesError, match="no saved thing"):
        unpack("thing", 3, buffer.getvalue())


def test_another_kind_is_refused_by_its_name():
    with pytest.raises(BadModelBytesError, match="hold a thing in format 3, but network in format 3 is expected"):
        unpack("network", 3, SAVED)


def test_another_format_is_refused_by_its_number():
    with pytest.raises(BadModelBytesError, match="hold a thing in format 3, but thing in format 4 is expected"):
        unpack("thing", 4, SAVED)
