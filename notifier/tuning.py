"""The tuned half of the learned layer: a sentence encoder that learns from labelled replies what they mean (JAX).

It starts from the first layers of a multilingual encoder that has read a great deal; every weight moves. Used by
`notifier triage train` alone.
"""

import random
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from notifier.graphs import HEADS

BATCH = 64  # replies weighed at once
WIDTHS = (
    8,
    10,
    12,
    14,
    16,
    20,
    24,
    28,
    32,
    40,
    48,
    64,
    96,
)  # pieces; a batch is as wide as the first that holds its longest reply
PACE = 1e-4  # how far one step goes at most
HEAD_PACE = 10  # so many times as far goes what begins at nothing
WARM = 150  # steps until the full pace
SLOWEST = 0.2  # of that pace, at the end
DROPPED = 0.1  # the share of numbers that a step forgets, against learning by heart
DROPPED_MARKS = 0.3
HEAVY = (12.0, 8.0, 8.0)  # how much the first three answers count beside a code's 1
CALM = 0.998  # how much of the running mean of weights stays at each step; that mean is the result
CLIPPED = 1.0

Parameters = dict[str, Any]


@dataclass(frozen=True)
class Lesson:
    """Replies to learn from."""

    pieces: Sequence[Sequence[int]]
    found: Any  # (replies, features): 1 where the rules found it
    told: Any  # (replies, answers): 1 where it is true


def tuned(start: Parameters, lesson: Lesson, passes: float) -> Generator[str, None, Parameters]:
    """Learn, in so many passes over the replies. Yields how it goes; returns the parameters."""
    begun = start | {
        "head": np.zeros((start["table"].shape[1], lesson.told.shape[1]), dtype=np.float32),
        "head_bias": np.full(lesson.told.shape[1], -4, dtype=np.float32),
        "marks": np.zeros((lesson.found.shape[1], lesson.told.shape[1]), dtype=np.float32),
    }
    weights = {name: jnp.asarray(value, dtype=jnp.float32) for name, value in begun.items()}
    steps = max(1, int(passes * len(lesson.pieces) / BATCH))
    rule = _rule(steps)
    state, mean = rule.init(weights), weights
    chance = jax.random.key(1, impl="rbg")
    lost = 0.0
    for step, batch in zip(range(steps), _batches(lesson), strict=False):
        weights, state, mean, loss = _step(weights, state, mean, jax.random.fold_in(chance, step), batch, rule=rule)
        lost += float(loss)
        if step % 100 == 99:
            yield f"  step {step + 1} of {steps}: loss {lost / 100:.2f}"
            lost = 0.0
    return {name: np.asarray(value) for name, value in mean.items()}


@lru_cache(maxsize=1)
def _rule(steps: int) -> optax.GradientTransformation:
    """How a step follows from a slope: warm up, then slow down; the head goes faster."""
    pace = optax.join_schedules(
        [optax.linear_schedule(0, 1, WARM), optax.linear_schedule(1, SLOWEST, max(1, steps - WARM))], [WARM]
    )
    return optax.chain(
        optax.clip_by_global_norm(CLIPPED),
        optax.partition(
            {
                "head": optax.adamw(lambda step: PACE * HEAD_PACE * pace(step), weight_decay=0.01),
                "rest": optax.adamw(lambda step: PACE * pace(step), weight_decay=0.01),
            },
            lambda weights: {name: "head" if name in HEAD else "rest" for name in weights},
        ),
    )


LAYERED = (
    *("ask", "ask_bias", "join", "join_bias", "join_gain", "join_shift", "wide", "wide_bias", "narrow", "narrow_bias"),
    *("narrow_gain", "narrow_shift"),
)
HEAD = ("head", "head_bias", "marks")  # what begins at nothing


@partial(jax.jit, static_argnames="rule")
def _step(
    weights: Parameters, state: Any, mean: Parameters, chance: Any, batch: tuple[Any, ...], *, rule: Any
) -> tuple[Any, ...]:
    loss, slopes = jax.value_and_grad(_loss)(weights, chance, *batch)
    moves, state = rule.update(slopes, state, weights)
    weights = optax.apply_updates(weights, moves)
    mean = {name: mean[name] * CALM + weights[name] * (1 - CALM) for name in weights}
    return weights, state, mean, loss


def _loss(w: Parameters, chance: Any, pieces: Any, found: Any, told: Any, counts: Any) -> Any:
    chances = iter(jax.random.split(chance, 3))
    said = scores(w, pieces, found, chances)
    lost = optax.sigmoid_binary_cross_entropy(said, told) * _heavy(told.shape[1])
    return (lost.sum(axis=1) * counts).sum() / counts.shape[0]


def _heavy(answers: int) -> Any:
    return jnp.ones(answers).at[: len(HEAVY)].set(jnp.asarray(HEAVY))


def scores(w: Parameters, pieces: Any, found: Any, chances: Iterator[Any] | None = None) -> Any:
    """The score of each answer to each reply before it becomes a share. With `chances` some numbers are forgotten.

    `pieces` is (replies, width) and -1 where a reply is over; `found` is (replies, features).
    """
    there = pieces >= 0
    x = w["table"][jnp.maximum(pieces, 0)] + w["places"][: pieces.shape[1]]
    x = _dropped(_even(x, w["begin_gain"], w["begin_shift"]), chances)
    deaf = jnp.where(there, 0.0, -1e9)[:, None, None, :]
    layers = {name: w[name] for name in LAYERED}
    if chances is None:
        x, _ = jax.lax.scan(lambda x, one: (_layer(one, x, deaf, None), None), x, layers)
    else:
        keys = jax.random.split(next(chances), w["join"].shape[0])
        x, _ = jax.lax.scan(lambda x, one: (_layer(one[0], x, deaf, one[1]), None), x, (layers, keys))
    mean = (x * there[:, :, None]).sum(axis=1) / there.sum(axis=1, keepdims=True)
    if chances is not None:
        kept = jax.random.bernoulli(next(chances), 1 - DROPPED_MARKS, found.shape)
        found = found * kept / (1 - DROPPED_MARKS)
    return mean @ w["head"] + w["head_bias"] + found @ w["marks"]


def _layer(w: Parameters, x: Any, deaf: Any, chance: Any) -> Any:
    """One layer of attention, then one of single pieces."""
    chances = None if chance is None else iter(jax.random.split(chance, 2))
    replies, width, size = x.shape
    asked = (x @ w["ask"] + w["ask_bias"]).reshape(replies, width, 3, HEADS, size // HEADS)
    q, k, v = (asked[:, :, n].transpose(0, 2, 1, 3) for n in range(3))
    heed = jax.nn.softmax(q @ k.transpose(0, 1, 3, 2) * (size // HEADS) ** -0.5 + deaf, axis=-1)
    heard = (heed @ v).transpose(0, 2, 1, 3).reshape(replies, width, size)
    x = _even(x + _dropped(heard @ w["join"] + w["join_bias"], chances), w["join_gain"], w["join_shift"])
    wide = jax.nn.gelu(x @ w["wide"] + w["wide_bias"], approximate=False)
    return _even(x + _dropped(wide @ w["narrow"] + w["narrow_bias"], chances), w["narrow_gain"], w["narrow_shift"])


def _even(x: Any, gain: Any, shift: Any) -> Any:
    x = x - x.mean(axis=-1, keepdims=True)
    return x * jax.lax.rsqrt((x * x).mean(axis=-1, keepdims=True) + 1e-12) * gain + shift


def _dropped(x: Any, chances: Iterator[Any] | None) -> Any:
    if chances is None:
        return x
    return x * jax.random.bernoulli(next(chances), 1 - DROPPED, x.shape) / (1 - DROPPED)


def _batches(lesson: Lesson) -> Iterator[tuple[Any, ...]]:
    """The replies again and again in another order, those of about one length together."""
    order, chance = list(range(len(lesson.pieces))), random.Random(1)
    while True:
        chance.shuffle(order)
        parts: list[list[int]] = []
        for at in range(0, len(order), BATCH * 20):
            alike = sorted(order[at : at + BATCH * 20], key=lambda reply: len(lesson.pieces[reply]))
            parts += [alike[start : start + BATCH] for start in range(0, len(alike), BATCH)]
        chance.shuffle(parts)
        yield from (_batch(lesson, part) for part in parts)


def _batch(lesson: Lesson, part: Sequence[int]) -> tuple[Any, ...]:
    """Always as many replies: those that fill up a small batch count nothing."""
    full = [*part, *([part[0]] * (BATCH - len(part)))]
    longest = max(len(lesson.pieces[reply]) for reply in full)
    width = next((width for width in WIDTHS if width >= longest), WIDTHS[-1])
    pieces = np.full((BATCH, width), -1, dtype=np.int32)
    for row, reply in enumerate(full):
        cut = lesson.pieces[reply][:width]
        pieces[row, : len(cut)] = cut
    counts = (np.arange(BATCH) < len(part)).astype(np.float32)
    return pieces, lesson.found[full].astype(np.float32), lesson.told[full].astype(np.float32), counts
