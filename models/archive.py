"""Models as bytes: arrays and a few words about them in one npz archive, without pickle."""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.encoder_decoder import EncoderDecoderParameters
from models.errors import BadInputError, BadModelBytesError
from models.parameters import Parameters, Shape

NETWORK, ENCODER_DECODER = ("network", 1), ("encoder–decoder", 1)  # kinds and their formats
HEADER = "rollcast"  # the name in the archive under which it says what it is
UNREADABLE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    OSError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


def pack(kind: str, version: int, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> bytes:
    """The arrays as npz bytes, with what is said `about` them, as JSON can hold it. `kind` names what is saved."""
    header = json.dumps({"kind": kind, "format": version, "arrays": sorted(arrays), "about": dict(about)}).encode()
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{HEADER: np.frombuffer(header, dtype=np.uint8)}, **arrays)
    return buffer.getvalue()


def unpack(kind: str, version: int, data: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays and the words that `pack` was given.

    Raises BadModelBytesError where the bytes are damaged, foreign, of another kind, or of another version's format.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as checked:
            damaged = checked.testzip()  # NumPy reads an array without looking at the checksum of what surrounds it
        if damaged is not None:
            raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise ValueError("it holds something that is no array")
        header = json.loads(arrays.pop(HEADER).tobytes())
        found, written, names, about = header["kind"], header["format"], header["arrays"], header["about"]
    except UNREADABLE as error:
        raise BadModelBytesError(
            f"these bytes are no saved {kind}, or a damaged one ({error}); fit it again"
        ) from error
    if found != kind or written != version:
        raise BadModelBytesError(
            f"these bytes hold a {found} in format {written}, but {kind} in format {version} is expected; fit it again"
        )
    if names != sorted(arrays):
        raise BadModelBytesError(
            f"this {kind} is damaged: it should hold {names}, and holds {sorted(arrays)}; fit it again"
        )
    return arrays, about


def save_network(parameters: Parameters) -> bytes:
    """A network, or a fleet, as npz bytes."""
    return pack(*NETWORK, {"flat": parameters.flat}, vars(parameters.shape))


def load_network(data: bytes) -> Parameters:
    """What `save_network` saved. Raises BadModelBytesError."""
    arrays, sizes = unpack(*NETWORK, data)
    try:
        return Parameters(Shape(**sizes), arrays["flat"])
    except (KeyError, TypeError, BadInputError) as error:
        raise BadModelBytesError(f"this network is damaged ({error}); fit it again") from error


def save_encoder_decoder(parameters: EncoderDecoderParameters) -> bytes:
    """An encoder and decoder, or a fleet of them, as npz bytes."""
    sizes = {"encoder": vars(parameters.encoder.shape), "decoder": vars(parameters.decoder.shape)}
    return pack(*ENCODER_DECODER, {"flat": parameters.flat}, sizes)


def load_encoder_decoder(data: bytes) -> EncoderDecoderParameters:
    """What `save_encoder_decoder` saved. Raises BadModelBytesError."""
    arrays, sizes = unpack(*ENCODER_DECODER, data)
    try:
        return EncoderDecoderParameters(Shape(**sizes["encoder"]), Shape(**sizes["decoder"]), arrays["flat"])
    except (KeyError, TypeError, BadInputError) as error:
        raise BadModelBytesError(f"this encoder–decoder is damaged ({error}); fit it again") from error
