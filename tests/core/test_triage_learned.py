"""The learned layer: what it may do, what it may not, and how well both layers do on replies that neither has seen."""

import platform
from dataclasses import replace
from pathlib import Path

import pytest

from notifier import evaluating, training, triaging
from notifier.catalog import SHIPPED, load
from notifier.catalog.rules import load_rules
from notifier.core.triage import Rules, read
from notifier.core.vocabulary import Urgency
from notifier.errors import Misconfigured
from notifier.evaluating import Evaluation, labelled

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def rules() -> Rules:
    return load().rules


@pytest.fixture(scope="module")
def alone(rules: Rules) -> Rules:
    return replace(rules, learned=None)


@pytest.fixture(scope="module")
def heldout(rules: Rules) -> Evaluation:
    """Replies of situations that nothing was trained on and no rule was written for."""
    return evaluating.evaluate(labelled(HERE / "heldout.jsonl"), lambda *given: _read(given, rules))


@pytest.fixture(scope="module")
def by_rules(alone: Rules) -> Evaluation:
    return evaluating.evaluate(labelled(HERE / "heldout.jsonl"), lambda *given: _read(given, alone))


def _read(given, rules):
    return triaging.read_alone(given[0], rules, *given[1:])


def test_it_never_lowers_what_a_rule_has_found(heldout: Evaluation, by_rules: Evaluation) -> None:
    for (one, both), (_, ruled) in zip(heldout.pairs, by_rules.pairs, strict=True):
        if ruled.kinds != ("UNKNOWN",):
            assert both.urgency.rank <= ruled.urgency.rank, one.text
            assert both.ticket or not ruled.ticket, one.text
        if ruled.urgency.is_red:
            assert set(both.kinds) >= set(ruled.kinds) - {"NOT_WELL", "UNKNOWN", "OK_FINE"}, one.text


def test_it_hears_red_flags_that_no_rule_explains_and_says_what_they_are_like(rules: Rules, alone: Rules) -> None:
    text = "we went to lift her and the side of her that holds the spoon just isnt there anymore, words all soup"
    assert not read(text, alone).urgency.is_red
    reading = read(text, rules)
    assert reading.urgency.is_red
    assert reading.like
    assert set(reading.like) <= set(rules.learned.examples.texts)


def test_what_may_be_a_wish_for_no_more_texts_is_never_small_talk(rules: Rules) -> None:
    assert read("stop sending me these", rules).ticket


def test_hardly_a_red_flag_ends_where_no_human_sees_it(heldout: Evaluation, by_rules: Evaluation) -> None:
    """None should; the README tells how many do."""
    assert len(heldout.unseen) <= 3 < len(by_rules.unseen)


def test_it_is_switched_off_by_one_line_and_the_rules_go_on(tmp_path: Path, alone: Rules) -> None:
    (tmp_path / "learned.toml").write_text("on = false\n", encoding="utf-8")
    off = load_rules([SHIPPED, tmp_path])
    assert off.learned is None
    assert read("no puedo respirar", off).urgency is Urgency.EMERGENCY


@pytest.mark.parametrize("line", ["page = 7", 'look = "often"', "add = true"])
def test_a_limit_that_is_none_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "learned.toml").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(Misconfigured, match=line.split()[0]):
        load_rules([SHIPPED, tmp_path])


def test_nothing_is_trained_on_what_it_is_measured_with() -> None:
    trained = [reply for file in (SHIPPED / "replies").glob("*.jsonl") for reply in labelled(file)]
    measured = [*labelled(HERE / "heldout.jsonl"), *labelled(HERE / "replies.jsonl")]
    assert not {one.situation for one in trained} & {one.situation for one in measured}
    long = {one.text.lower() for one in trained if len(one.text.split()) > 3}
    assert not long & {one.text.lower() for one in measured}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the weights that tuning begins with come for x86-64 alone")
def test_the_same_replies_make_the_same_model(tmp_path: Path, alone: Rules) -> None:
    lines = (SHIPPED / "replies" / "chat.jsonl").read_text(encoding="utf-8").splitlines()[:40]
    lines += (SHIPPED / "replies" / "more.jsonl").read_text(encoding="utf-8").splitlines()[:40]
    (tmp_path / "some.jsonl").write_text("\n".join(lines), encoding="utf-8")
    for name in ("one.npz", "two.npz"):
        assert "written" in list(training.train(alone, model=tmp_path / name, replies=tmp_path, passes=2))[-1]
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_the_figures_hold(heldout: Evaluation) -> None:
    """What the README tells; a change that makes it worse must say so there."""
    red = heldout.of(Urgency.EMERGENCY, Urgency.URGENT)
    assert red.recall >= 0.85
    assert red.precision >= 0.8
    assert heldout.kinds.f1 >= 0.55


def test_the_sample_is_read_as_well_by_both_layers(rules: Rules) -> None:
    found = evaluating.evaluate(labelled(HERE / "replies.jsonl"), lambda *given: _read(given, rules))
    assert found.of(Urgency.EMERGENCY, Urgency.URGENT).recall == 1
    assert found.of(Urgency.EMERGENCY, Urgency.URGENT).precision >= 0.97
    assert found.exact >= 0.95
    assert found.unseen == []
