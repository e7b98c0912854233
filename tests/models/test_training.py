"""The training loop."""

import numpy as np
import pytest

from models.errors import BadInputError, DivergedError
from models.losses import cross_entropy, mse
from models.parameters import Parameters, Shape
from models.rnn import Unrolled, predict
from models.training import Batch, fit

SHAPE = Shape(inputs=1, hidden=8, outputs=1)


def means(T=6, B=32, seed=0):
    """Batches whose target is the mean of each sequence."""
    rng = np.random.default_rng(seed)

    def draw(_step):
        X = rng.normal(size=(T, 1, B)).astype(np.float32)
        return Batch((X,), X.mean(axis=0))

    return draw


def network(*seeds):
    members = [Parameters.initial(SHAPE, np.random.default_rng(seed)) for seed in seeds]
    return Unrolled(Parameters.stack(members) if len(seeds) > 1 else members[0], steps=6, batch=32)


def test_a_network_learns_the_mean_of_a_sequence():
    student = network(0)
    fit(student, means(), mse, n_steps=300)
    X = np.random.default_rng(9).normal(size=(6, 1, 500)).astype(np.float32)
    y = X.mean(axis=0)
    assert np.mean((predict(student.parameters, X) - y) ** 2) < 0.1 * np.var(y)


def test_a_network_learns_to_tell_two_classes_apart():
    rng = np.random.default_rng(0)

    def draw(_step):
        classes = rng.integers(2, size=32)
        return Batch((rng.normal(size=(6, 1, 32)) + 2.0 * classes,), classes)

    student = Unrolled(Parameters.initial(Shape(1, 8, 2), rng), steps=6, batch=32)
    fit(student, draw, cross_entropy, n_steps=200)
    batch = draw(0)
    assert (student.forward(*batch.inputs).argmax(axis=0) == batch.targets).mean() > 0.9


def test_the_loss_of_each_step_comes_back():
    losses = fit(network(0), means(), mse, n_steps=100)
    assert losses.shape == (100,)
    assert losses[-10:].mean() < 0.5 * losses[:10].mean()


def test_the_same_seed_gives_the_same_bits():
    first, second = network(3), network(3)
    for student in (first, second):
        fit(student, means(seed=5), mse, n_steps=20)
    assert (first.parameters.flat == second.parameters.flat).all()


def test_a_fleet_learns_bit_for_bit_what_its_members_would():
    fleet = network(1, 2, 3)
    losses = fit(fleet, means(), mse, n_steps=20)
    for s, seed in enumerate((1, 2, 3)):
        alone = network(seed)
        assert (fit(alone, means(), mse, n_steps=20) == losses[:, s]).all()
        assert (alone.parameters.flat == fleet.parameters.flat[s]).all()


def test_progress_is_told_after_each_step():
    told = []
    fit(network(0), means(), mse, n_steps=3, progress=lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # that numbers overflow is what this is about
def test_a_loss_that_leaves_the_finite_numbers_is_told_with_its_step():
    def draw(step):
        return Batch((np.ones((6, 1, 32)),), np.full((1, 32), 1e30 if step == 2 else 0.0))

    with pytest.raises(DivergedError, match="the loss is inf at step 2 of 10"):
        fit(network(0), draw, mse, n_steps=10)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_fleet_tells_which_network_diverged():
    def draw(_step):
        targets = np.zeros((3, 1, 32))
        targets[1] = 1e30
        return Batch((np.ones((6, 1, 32)),), targets)

    with pytest.raises(DivergedError, match="in network 1 of 3 at step 0"):
        fit(network(1, 2, 3), draw, mse, n_steps=10)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_parameters_that_the_last_step_broke_are_not_handed_out():
    with pytest.raises(DivergedError, match="after step 0"):
        fit(network(0), means(), mse, n_steps=1, rate=1e39)


@pytest.mark.parametrize(("n_steps", "rate"), [(0, 1e-3), (10, np.nan)])
def test_a_training_that_cannot_be_is_refused(n_steps, rate):
    with pytest.raises(BadInputError, match="at least one step and a finite rate"):
        fit(network(0), means(), mse, n_steps=n_steps, rate=rate)
