"""A file comes back as it was written, or is one clear error; what it replaces is never half."""

import json
import os
import struct
import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sknets import _container

pytest.importorskip("safetensors")

DAMAGED = "is not a file that sknets wrote, or it is damaged"
OBJECTS = np.array(["a", None, 2.5], dtype=object)
TREE = {
    "plain": [None, True, 3, -0.5, "é", float("inf")],
    "nested": {"tuple": (1, (2, [])), 5: {}, (1, "a"): "key"},
    "scalar": np.float32(0.1),
    "array": np.arange(6, dtype=np.int16).reshape(2, 3),
    "transposed": np.arange(6.0).reshape(2, 3).T,
    "0-d": np.array(2.0),
    "empty": np.empty((0, 3)),
    "text": np.array([["a", "bcé"], ["", "d"]], dtype="U7"),
    "big-endian": np.array(["a", "é"], dtype=">U2"),
    "bytes": np.array(b"ab"),
    "no text": np.empty(0, dtype="U4"),
    "objects": OBJECTS,
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tree.sknets"


def assert_same(a, b):
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype.newbyteorder("=")
        assert_array_equal(a, b, strict=a.dtype == b.dtype)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        assert_same(list(a.values()), list(b.values()))
    elif isinstance(a, (list, tuple)):
        for left, right in zip(a, b, strict=True):
            assert_same(left, right)
    else:
        assert a == b


def file_of(tree, **metadata):
    """The bytes of a file with a JSON tree of one's own."""
    text = tree if isinstance(tree, str) else json.dumps(tree)
    header = {"__metadata__": {"format": _container.FORMAT, "tree": text, **metadata}}
    header["a"] = {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]}
    encoded = json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + bytes(16)


def test_tree_comes_back_as_it_was(path):
    _container.write(path, TREE)
    assert_same(_container.read(path), TREE)


def test_other_values_go_through_the_caller(path):
    _container.write(path, {"z": [1j]}, encode=lambda z: (z.real, z.imag))
    assert _container.read(path, decode=lambda pair: complex(*pair)) == {"z": [1j]}


@pytest.mark.parametrize("value", [print, {1}, b"bytes", np.array([1j]), object], ids=str)
def test_what_is_not_plain_is_named_and_not_written(path, value):
    with pytest.raises(_container.NotPlainError, match=r"^a\.0\.b is ") as caught:
        _container.write(path, {"a": [{"b": value}]})
    assert caught.value.value is value
    assert not path.exists()


# -- replacing a file


def test_failed_write_leaves_the_earlier_file_and_nothing_else(path, monkeypatch):
    def fail(*args):
        raise failure

    _container.write(path, {"a": 1})
    monkeypatch.setattr(os, "replace", fail)
    for failure in (KeyboardInterrupt(), OSError(28, "No space left on device")):
        with pytest.raises(type(failure)) as caught:
            _container.write(path, {"a": 2})
        assert _container.read(path) == {"a": 1}
        assert list(path.parent.iterdir()) == [path]
    assert str(caught.value) == f"[Errno 28] No space left on device: {str(path)!r}"


def test_write_removes_what_a_killed_one_left_and_touches_nothing_else(path):
    dead, alive = ("." + path.name + "." + digit * 32 + ".tmp" for digit in "01")
    others = ["." + path.name + ".mine.tmp", ".other.sknets." + "2" * 32 + ".tmp"]
    for name in (dead, alive, *others):
        (path.parent / name).touch()
    for name in (dead, *others):
        os.utime(path.parent / name, (1e9, 1e9))
    _container.write(path, {"a": 1})
    assert {file.name for file in path.parent.iterdir()} == {path.name, alive, *others}


def test_name_with_the_signs_of_a_pattern_is_a_name(tmp_path):
    path = tmp_path / "[a-z]*?.sknets"
    _container.write(path, {"a": 1})
    _container.write(path, {"a": 2})
    assert _container.read(path) == {"a": 2}
    assert list(tmp_path.iterdir()) == [path]


def test_new_file_has_the_permissions_of_any_other(path):
    (path.parent / "other").touch()
    _container.write(path, {})
    assert path.stat().st_mode == (path.parent / "other").stat().st_mode


def test_what_is_read_while_others_write_is_whole(path):
    def write(i):
        for _ in range(30):
            _container.write(path, {"i": i, "array": np.full(5000, i)})

    write(0)
    threads = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        tree = _container.read(path)
        assert_array_equal(tree["array"], np.full(5000, tree["i"]))
    assert list(path.parent.iterdir()) == [path]


# -- files that are not as they should be


def test_file_that_cannot_be_opened_is_the_systems_error(path):
    with pytest.raises(FileNotFoundError, match=r"tree\.sknets"):
        _container.read(path)
    with pytest.raises(IsADirectoryError, match=path.parent.name):
        _container.read(path.parent)


@pytest.mark.parametrize("length", [2**20, 2**40, 2**63, 2**64 - 1])
def test_header_that_claims_to_be_huge_is_refused(path, length):
    path.write_bytes(struct.pack("<Q", length) + b"{}" * 50)
    with pytest.raises(ValueError, match=DAMAGED):
        _container.read(path)


def test_file_cut_off_anywhere_is_refused(path):
    _container.write(path, TREE)
    data = path.read_bytes()
    for length in (0, 7, 8, 9, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=DAMAGED):
            _container.read(path)


def test_flipped_bits_are_refused_or_make_plain_values(path):
    _container.write(path, TREE)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    errors = []
    for position in rng.integers(8 * len(data), size=300):
        damaged = bytearray(data)
        damaged[position // 8] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            assert isinstance(_container.read(path), dict)
        except ValueError as error:
            errors.append(str(error))
    assert len(errors) > 100
    assert all(DAMAGED in error for error in errors)


HOSTILE = {
    "no JSON": "{",
    "no dict": {"list": []},
    "unknown kind": {"dict": [["a", {"pickle": "boo"}]]},
    "two kinds": {"dict": [["a", {"list": [], "tuple": []}]]},
    "bare list": [],
    "unhashable key": {"dict": [[{"list": []}, 1]]},
    "no pair": {"dict": [["a"]]},
    "array that is not there": {"dict": [["a", {"array": "b"}]]},
    "special without a decoder": {"dict": [["a", {"special": 1}]]},
    "scalar that is an object": {"dict": [["a", {"scalar": ["object", {}]}]]},
    "scalar of a terabyte": {"dict": [["a", {"scalar": ["V", 2**40]}]]},
    "scalar out of range": {"dict": [["a", {"scalar": ["int8", 10**30]}]]},
    "objects of another shape": {"dict": [["a", {"objects": [[10**12], [1]]}]]},
    "text of floats": {"dict": [["a", {"text": ["U", {"array": "a"}]}]]},
    "text of objects": {"dict": [["a", {"text": ["O", {"array": "a"}]}]]},
    "text of nothing": {"dict": [["a", {"text": ["U", 3]}]]},
    "too deep": '{"list": [' * 10**5 + "]}" * 10**5,
    "endless number": '{"list": [' + "1" * 10**5 + "]}",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_tree_is_one_clear_error(path, case):
    path.write_bytes(file_of(HOSTILE[case]))
    with pytest.raises(ValueError, match=DAMAGED):
        _container.read(path)


def test_file_of_another_format_is_refused(path):
    path.write_bytes(file_of({"dict": []}))
    assert _container.read(path) == {}
    path.write_bytes(file_of({"dict": []}, format="sknets-9"))
    with pytest.raises(ValueError, match="its format is 'sknets-9', not 'sknets-1'"):
        _container.read(path)


def test_codes_that_are_no_characters_are_refused(path):
    _container.write(path, {"a": np.array(["z"])})
    data = path.read_bytes()
    path.write_bytes(data[:-4] + b"\xff" * 4)
    with pytest.raises(ValueError, match=DAMAGED):
        _container.read(path)
