"""The pile: rows in, in any order; out in order, a block at a time, from memory or from disk."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.pile import Pile, Raw

ROW = st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 9), st.floats(-1e9, 1e9))


def rows(found):
    """Raw of (series, label, time within the label, value)."""
    columns = list(zip(*found, strict=True)) or [(), (), (), ()]
    series, labels, times, values = (np.array(column) for column in columns)
    labels = labels.astype(np.int64) * 10
    return Raw(series.astype(np.int32), labels, labels + times.astype(np.int64), values.astype(float))


def listed(blocks):
    return [
        row
        for each in blocks
        for row in zip(
            each.series.tolist(), each.labels.tolist(), each.times.tolist(), each.values.tolist(), strict=True
        )
    ]


@given(parts=st.lists(st.lists(ROW, max_size=20), max_size=4), in_memory=st.integers(0, 40), block=st.integers(1, 30))
def test_rows_come_out_in_order_wherever_they_waited(parts, in_memory, block):
    with Pile(in_memory, block) as pile:
        for part in parts:
            pile.put(rows(part))
        out = listed(pile.blocks())
    put = [row for part in parts for row in listed([rows(part)])]
    assert out == sorted(put, key=lambda row: row[:3])  # a stable sort: of one time, in the order they were put in


@given(part=st.lists(ROW, max_size=60), in_memory=st.integers(0, 40), block=st.integers(1, 10))
def test_no_interval_is_in_two_blocks(part, in_memory, block):
    with Pile(in_memory, block) as pile:
        pile.put(rows(part))
        intervals = [
            interval
            for each in pile.blocks()
            for interval in dict.fromkeys(zip(each.series.tolist(), each.labels.tolist(), strict=True))
        ]
    assert len(intervals) == len(set(intervals))


def test_a_block_holds_about_as_many_rows_as_asked_for():
    with Pile(in_memory=10, block=100) as pile:
        pile.put(rows([(0, k, 0, 1.0) for k in range(1000)]))
        assert max(len(each) for each in pile.blocks()) <= 101


def test_values_come_back_from_disk_bit_for_bit():
    values = [0.1, 1e-300, -1e100, 5e-324, 123456789.123456789]
    with Pile(in_memory=0) as pile:
        pile.put(rows([(0, k, 0, value) for k, value in enumerate(values)]))
        assert [row[3] for row in listed(pile.blocks())] == values


def test_an_empty_pile_gives_nothing_back():
    with Pile() as pile:
        assert sum(len(each) for each in pile.blocks()) == 0


def test_what_lies_on_disk_goes_with_the_pile():
    with Pile(in_memory=0) as pile:
        pile.put(rows([(0, 0, 0, 1.0)]))
    with pytest.raises(Exception, match="closed"):
        list(pile.blocks())
