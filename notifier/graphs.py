"""The learned layer's networks as ONNX, with weights of one byte, as onnxruntime runs them.

Written by `notifier triage train`; running them needs nothing of this file.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper, numpy_helper

OPSET, IR = 20, 9  # of 2024: what onnxruntime 1.18 and later reads
HEADS = 12  # of attention
BRANCHES = ((2, 0), (3, 1), (5, 2))  # a window's width in pieces, and how many of them stand before
LARGEST = 63  # of a weight: two products with a byte then fit where a processor adds them up in 16 bits
_TO_THE_END = np.iinfo(np.int64).max

Weights = Mapping[str, NDArray[Any]]


class Graph:
    """A network under construction. Values are named by what this class returns."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def constant(self, array: Any) -> str:
        """A number or an array that never changes; counts are whole numbers, all else single precision."""
        given = np.asarray(array)
        kept = given if given.dtype in (np.int8, np.uint8, np.int64) else given.astype(np.float32)
        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(kept), name))
        return name

    def many(self, operator: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """The outputs of one operator of ONNX."""
        names = [f"{operator}{len(self._nodes)}_{number}" for number in range(count)]
        self._nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names

    def do(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The one output of an operator."""
        return self.many(operator, 1, *inputs, **attributes)[0]

    def times(self, x: str, matrix: NDArray[Any], bias: NDArray[Any] | None = None) -> str:
        """Rows times a matrix (columns in, columns out), whose weights become bytes, plus a bias."""
        scale = np.maximum(np.abs(matrix).max(axis=0) / LARGEST, 1e-9).astype(np.float32)
        weights = self.constant(np.round(matrix / scale).astype(np.int8))
        rounded, step, zero = self.many("DynamicQuantizeLinear", 3, x)
        summed = self.do("Cast", self.do("MatMulInteger", rounded, weights, zero), to=1)
        product = self.do("Mul", summed, self.do("Mul", step, self.constant(scale)))
        return product if bias is None else self.do("Add", product, self.constant(bias))

    def even(self, x: str, gain: NDArray[Any], shift: NDArray[Any]) -> str:
        """Each row with mean 0 and spread 1, then gain and shift (a layer norm)."""
        return self.do("LayerNormalization", x, self.constant(gain), self.constant(shift), axis=-1, epsilon=1e-12)

    def bent(self, x: str) -> str:
        """What is below nought becomes nought."""
        return self.do("Relu", x)

    def part(self, x: str, start: int, end: int, axis: int) -> str:
        """A part of an array along one axis; an end of 0 is its end."""
        limits = (self.constant(np.array([limit], dtype=np.int64)) for limit in (start, end or _TO_THE_END, axis))
        return self.do("Slice", x, *limits)

    def written(self, inputs: Mapping[str, Any], outputs: Mapping[str, str]) -> bytes:
        """The network as bytes, the same for the same steps. `inputs` gives each one's kind and shape."""
        ends = [helper.make_node("Identity", [value], [name]) for name, value in outputs.items()]
        graph = helper.make_graph(
            [*self._nodes, *ends],
            "notifier",
            [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
            [helper.make_tensor_value_info(name, 1, None) for name in outputs],
            self._constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="notifier"
        )
        return bytes(model.SerializeToString(deterministic=True))


def table(rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """A vector for each piece as bytes, and the scale of each: the networks begin with what is read there."""
    scale = np.maximum(np.abs(rows).max(axis=1) / 127, 1e-9).astype(np.float32)
    return np.round(rows / scale[:, None]).astype(np.int8), scale


def meaning(w: Weights) -> bytes:
    """The universal sentence encoder: from the vectors of pieces to one of 512 numbers and length 1."""
    graph = Graph()
    read = "read"
    cast = graph.even(graph.times(read, w["project"], w["project_bias"]), w["project_gain"], w["project_shift"])
    seen = [read]
    for number, (width, before) in enumerate(BRANCHES):
        plain = graph.part(cast, number * 256, (number + 1) * 256, 1)
        once = _window(graph, plain, width, before, w[f"once{width}"], w[f"once_bias{width}"])
        seen.append(once := graph.do("Add", plain, once))
        twice = _window(graph, once, width, before, w[f"twice{width}"], w[f"twice_bias{width}"])
        seen[-1] = graph.do("Add", once, twice)
    together = graph.even(graph.do("Concat", *seen, axis=1), w["seen_gain"], w["seen_shift"])
    pooled = graph.do("ReduceSum", together, graph.constant(np.array([0], dtype=np.int64)), keepdims=1)
    count = graph.do("Cast", graph.do("Shape", read, end=1), to=1)
    summed = graph.do("Add", graph.times(pooled, w["pool"]), graph.do("Mul", count, graph.constant(w["pool_bias"])))
    mean = graph.do("Div", summed, graph.do("Sqrt", count))
    inner = graph.times(graph.bent(graph.times(mean, w["deep0"])), w["deep1"])
    deep = graph.bent(graph.do("Add", graph.times(mean, w["short1"]), inner))
    outer = graph.times(graph.bent(graph.times(deep, w["deep2"])), w["deep3"])
    out = graph.do("Tanh", graph.do("Add", graph.times(deep, w["short3"]), outer))
    inputs = {"read": (1, ["pieces", w["table"].shape[1]])}
    return graph.written(inputs, {"vector": graph.do("LpNormalization", out, axis=-1, p=2)})


def _window(graph: Graph, x: str, width: int, before: int, matrix: NDArray[Any], bias: NDArray[Any]) -> str:
    """Each row together with its neighbours, nothing beyond the ends, through one matrix."""
    edges = graph.constant(np.array([before, 0, width - 1 - before, 0], dtype=np.int64))
    padded = graph.do("Pad", x, edges)
    beside = graph.do("Concat", *(graph.part(padded, at, at - width + 1, 0) for at in range(width)), axis=1)
    return graph.bent(graph.times(beside, matrix, bias))


def judge(w: Weights) -> bytes:
    """The tuned encoder: from the vectors of pieces, and what the rules found (1 or 0 each), to each answer's score."""
    graph = Graph()
    layers, width = w["join"].shape[:2]
    numbers = graph.do("Shape", "read", end=1)
    places = graph.do(
        "Slice", graph.constant(w["places"]), graph.constant(np.zeros(1, dtype=np.int64)), numbers,
        graph.constant(np.zeros(1, dtype=np.int64)),
    )  # fmt: skip
    x = graph.even(graph.do("Add", "read", places), w["begin_gain"], w["begin_shift"])
    shape = graph.constant(np.array([-1, HEADS, width // HEADS], dtype=np.int64))
    flat = graph.constant(np.array([-1, width], dtype=np.int64))
    thirds = graph.constant(np.array([width] * 3, dtype=np.int64))
    ease = graph.constant(np.float32((width // HEADS) ** -0.5))
    for n in range(layers):
        asked = graph.many("Split", 3, graph.times(x, w["ask"][n], w["ask_bias"][n]), thirds, axis=1)
        q, k, v = (graph.do("Reshape", one, shape) for one in asked)
        near = graph.do("MatMul", graph.do("Transpose", q, perm=[1, 0, 2]), graph.do("Transpose", k, perm=[1, 2, 0]))
        heed = graph.do("Softmax", graph.do("Mul", near, ease), axis=-1)
        heard = graph.do(
            "Transpose", graph.do("MatMul", heed, graph.do("Transpose", v, perm=[1, 0, 2])), perm=[1, 0, 2]
        )
        joined = graph.times(graph.do("Reshape", heard, flat), w["join"][n], w["join_bias"][n])
        x = graph.even(graph.do("Add", x, joined), w["join_gain"][n], w["join_shift"][n])
        wide = graph.do("Gelu", graph.times(x, w["wide"][n], w["wide_bias"][n]))
        x = graph.even(
            graph.do("Add", x, graph.times(wide, w["narrow"][n], w["narrow_bias"][n])),
            w["narrow_gain"][n], w["narrow_shift"][n],
        )  # fmt: skip
    mean = graph.do("ReduceMean", x, graph.constant(np.array([0], dtype=np.int64)), keepdims=1)
    by_words = graph.do("Add", graph.do("MatMul", mean, graph.constant(w["head"])), graph.constant(w["head_bias"]))
    by_rules = graph.do("MatMul", "found", graph.constant(w["marks"]))
    scores = graph.do("Sigmoid", graph.do("Add", graph.do("Squeeze", by_words), by_rules))
    inputs = {"read": (1, ["pieces", width]), "found": (1, [len(w["marks"])])}
    return graph.written(inputs, {"scores": scores})
