"""Models as bytes."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.archive import load_encoder_decoder, load_network, pack, save_encoder_decoder, save_network, unpack
from models.encoder_decoder import EncoderDecoderParameters
from models.errors import BadModelBytesError
from models.parameters import Parameters, Shape

SAVED = pack("thing", 3, {"a": np.arange(5.0), "b": np.zeros((2, 2), dtype=np.float32)}, {"words": ["é", 1]})
# NumPy reads an array of this size in pieces, and need not come to the checksum behind it.
LARGE = pack("thing", 3, {"a": np.arange(3000.0)}, {})
LARGE_HEADER = LARGE.index(b"\x93NUMPY", LARGE.index(b"a.npy"))


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


@given(at=st.integers(LARGE_HEADER, LARGE_HEADER + 200), flip=st.integers(1, 255))
def test_a_flipped_byte_before_a_large_array_is_refused(at, flip):
    damaged = bytearray(LARGE)
    damaged[at] ^= flip
    with pytest.raises(BadModelBytesError, match="no saved thing"):
        unpack("thing", 3, bytes(damaged))


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


def network():
    return Parameters.initial(Shape(2, 3, 4), np.random.default_rng(0))


def test_a_saved_network_comes_back_bit_for_bit():
    again = load_network(save_network(network()))
    assert again.shape == Shape(2, 3, 4)
    assert again.flat.dtype == np.float32
    assert (again.flat == network().flat).all()


def test_a_saved_fleet_comes_back_as_one():
    assert load_network(save_network(Parameters.stack([network(), network()]))).fleet == (2,)


def test_a_saved_encoder_and_decoder_come_back_bit_for_bit():
    saved = EncoderDecoderParameters.initial(Shape(3, 5, 0), Shape(2, 5, 2), np.random.default_rng(0))
    again = load_encoder_decoder(save_encoder_decoder(saved))
    assert (again.encoder.shape, again.decoder.shape) == (Shape(3, 5, 0), Shape(2, 5, 2))
    assert (again.flat == saved.flat).all()


def test_sizes_that_do_not_fit_the_numbers_are_refused():
    with pytest.raises(BadModelBytesError, match=r"damaged .*; fit it again"):
        load_network(pack("network", 1, {"flat": np.zeros(7)}, {"inputs": 2, "hidden": 3, "outputs": 4}))


def test_a_network_is_no_encoder_and_decoder():
    with pytest.raises(BadModelBytesError, match="hold a network in format 1, but encoder–decoder in format 1"):
        load_encoder_decoder(save_network(network()))


def test_a_member_that_is_no_array_is_refused():
    buffer = io.BytesIO(SAVED)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("c", b"no array")
    with pytest.raises(BadModelBytesError, match="something that is no array"):
        unpack("thing", 3, buffer.getvalue())
