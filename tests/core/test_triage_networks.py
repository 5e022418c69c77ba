"""The tuned network: it learns from labelled replies, and what is shipped reads as what was trained."""

from pathlib import Path

import jax
import numpy as np
import pytest

from notifier import graphs, tuning
from notifier.catalog.learning import load_learned
from notifier.core.triage.networks import Judge, Words
from notifier.core.triage.pieces import BEGIN, END, UNKNOWN, Pieces
from notifier.errors import Misconfigured

WORDS = ["<s>", "</s>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz", "▁the", "▁arm", "▁is", "▁swollen", "▁fine", "▁cat"]
SIZE, FEATURES = 24, 3


@pytest.fixture
def pieces() -> Pieces:
    return Pieces(WORDS, [-1.0 if len(word) > 2 else -5.0 for word in WORDS], 12)


def begun(answers: int) -> tuning.Parameters:
    """A network of one layer that knows nothing."""
    chance = np.random.default_rng(1)

    def some(*shape: int) -> np.ndarray:
        return (chance.standard_normal(shape) * 0.3).astype(np.float32)

    one, none = np.ones((1, SIZE), dtype=np.float32), np.zeros((1, SIZE), dtype=np.float32)
    return {
        "table": some(len(WORDS), SIZE),
        "places": some(12, SIZE),
        "begin_gain": one[0],
        "begin_shift": none[0],
        "ask": some(1, SIZE, 3 * SIZE),
        "ask_bias": some(1, 3 * SIZE),
        "join": some(1, SIZE, SIZE),
        "join_bias": none,
        "join_gain": one,
        "join_shift": none,
        "wide": some(1, SIZE, 2 * SIZE),
        "wide_bias": some(1, 2 * SIZE),
        "narrow": some(1, 2 * SIZE, SIZE),
        "narrow_bias": none,
        "narrow_gain": one,
        "narrow_shift": none,
        "head": some(SIZE, answers),
        "head_bias": np.zeros(answers, dtype=np.float32),
        "marks": some(FEATURES, answers),
    }


def test_what_is_shipped_reads_as_what_was_trained(pieces: Pieces) -> None:
    weights = begun(5)
    judge = Judge(Words(pieces, *graphs.table(weights["table"])), graphs.judge(weights))
    for text, found in (("the arm is swollen", [0]), ("the cat is fine", []), ("zzz", [1, 2])):
        numbers = pieces.of(text)
        padded = np.full((1, 12), -1)
        padded[0, : len(numbers)] = numbers
        marks = np.isin(np.arange(FEATURES), found)[None].astype(np.float32)
        trained = jax.nn.sigmoid(tuning.scores(weights, padded, marks))[0]
        assert judge.scores(text, found) == pytest.approx(np.asarray(trained), abs=0.05)


def test_it_learns_what_it_is_told(pieces: Pieces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "PACE", 5e-3)  # six replies are soon learnt
    monkeypatch.setattr(tuning, "CALM", 0.9)
    texts = ["the arm is swollen", "arm swollen", "is the arm swollen", "the cat is fine", "cat fine", "fine the cat"]
    told = np.array([[1, 0, 1], [1, 0, 1], [1, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0]], dtype=np.float32)
    lesson = tuning.Lesson([pieces.of(text) for text in texts], np.zeros((6, FEATURES), dtype=np.int8), told)
    learning = tuning.tuned(begun(3), lesson, passes=64 * 250 / 6)
    said = []
    while True:
        try:
            said.append(next(learning))
        except StopIteration as end:
            weights = end.value
            break
    assert [line.split(":")[0].strip() for line in said] == ["step 100 of 250", "step 200 of 250"]
    judge = Judge(Words(pieces, *graphs.table(weights["table"])), graphs.judge(weights))
    swollen, fine = judge.scores("the arm is swollen", []), judge.scores("the cat is fine", [])
    assert swollen[0] > 0.5 > fine[0]
    assert swollen[1] < 0.2


def test_a_text_is_cut_into_the_likeliest_pieces_and_no_more_than_are_read(pieces: Pieces) -> None:
    assert pieces.of("the arm") == [BEGIN, WORDS.index("▁the"), WORDS.index("▁arm"), END]
    assert pieces.of("the ☂") == [BEGIN, WORDS.index("▁the"), WORDS.index("▁"), UNKNOWN, END]
    assert len(pieces.of("the arm " * 50)) == 12
    assert pieces.of("") == [BEGIN, END]


def test_a_model_that_cannot_be_read_is_refused_with_what_to_do(tmp_path: Path) -> None:
    limits = dict.fromkeys(("page", "emergency", "look", "name", "add", "chatter"), 0.5)
    (tmp_path / "broken.npz").write_bytes(b"PK no model")
    with pytest.raises(Misconfigured, match=r"broken.npz cannot be read .*: make it anew with `notifier triage train`"):
        load_learned({"on": True, **limits}, tmp_path / "broken.npz")
    assert load_learned({"on": True, **limits}, tmp_path / "never-trained.npz") is None
