"""What another configuration changes about the panels."""

from dataclasses import replace

import pytest

from jobs.changes import Changes, changed


@pytest.fixture
def other(panel, source):
    """Another panel, whose source was never asked."""
    return replace(panel, name="q", source=type(source)())


def again(panel):
    """The panel as the same configuration makes it once more: with a source object of its own."""
    return replace(panel, source=replace(panel.source))


def test_nothing_has_changed_where_the_configuration_is_the_same(panel):
    after, changes = changed({"p": panel}, [again(panel)])
    assert not changes
    assert after["p"] is panel


def test_new_panels_and_those_that_went_are_told_apart(panel, other):
    after, changes = changed({"p": panel}, [other])
    assert changes == Changes(added=["q"], removed=["p"], changed=[])
    assert after == {"q": other}


def test_a_panel_with_another_setting_has_changed_and_keeps_its_source_object(panel, other):
    new = replace(again(panel), horizon=4)
    after, changes = changed({"p": panel, "q": other}, [new, other])
    assert changes == Changes([], [], ["p"])
    assert after["p"].horizon == 4
    assert after["p"].source is panel.source


def test_a_panel_whose_source_has_another_option_has_changed_and_has_the_new_one(panel, source):
    new = replace(panel, source=replace(source, down="elsewhere"))
    after, changes = changed({"p": panel}, [new])
    assert changes == Changes([], [], ["p"])
    assert after["p"] is new


def test_another_secret_is_a_change(panel):
    assert changed({"p": panel}, [replace(panel, secrets=("a new token",))])[1].changed == ["p"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (Changes([], [], []), "no panel changed"),
        (Changes(["a", "b"], [], []), "new: a, b"),
        (Changes(["a"], ["b"], ["c"]), "new: a; gone: b; changed: c"),
    ],
)
def test_changes_are_told_in_words(changes, told):
    assert str(changes) == told
