"""Conditions of outputs: INFN's expressions work, nothing else does."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from naas_catalogue.conditions import ConditionError, holds, parse

INPUTS = {"enable_monitoring": True, "num_gpus": 2, "gpu_model": "A100", "images": ["a", "b"], "empty": ""}


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        ("inputs['enable_monitoring'] == 'true'", True),
        ("inputs['enable_monitoring'] == 'True'", True),
        ("inputs['enable_monitoring'] == True", True),
        ('inputs["enable_monitoring"].lower() == "x" if False else True', None),
        ("inputs.get('nothing', 'x') == 'x'", True),
        ("inputs.get('nothing') is None", True),
        ("'num_gpus' in inputs and inputs['num_gpus'] > 0", True),
        ("inputs['num_gpus'] == '2'", True),
        ("int(inputs['num_gpus']) >= 3", False),
        ("inputs['gpu_model'].startswith('A') and not inputs['empty']", True),
        ("inputs['gpu_model'] in ['T4', 'A30']", False),
        ("'b' in inputs['images']", True),
        ("len(inputs['images']) == 2", True),
        ("1 < inputs['num_gpus'] <= 2", True),
        ("outputs.get('jupyter_endpoint') != None", True),
        ("key == 'grafana_endpoint'", True),
        ("True", True),
    ],
)
def test_expressions_of_the_dashboard(condition: str, answer: bool | None) -> None:
    outputs = {"jupyter_endpoint": "https://x"}
    if answer is None:
        with pytest.raises(ConditionError):
            holds(condition, INPUTS, outputs, "grafana_endpoint")
    else:
        assert holds(condition, INPUTS, outputs, "grafana_endpoint") is answer


@pytest.mark.parametrize(
    "condition",
    [
        "__import__('os').system('id')",
        "inputs.__class__.__mro__",
        "().__class__.__bases__[0].__subclasses__()",
        "inputs['x'].__class__",
        "[x for x in inputs]",
        "(lambda: 1)()",
        "open('/etc/passwd').read()",
        "inputs.update({})",
        "inputs.get('x').format()",
        "f'{inputs}'",
        "9**9**9**9",
        "'a' * 10**9",
        "inputs['a'] + inputs['b']",
        "exec('1')",
        "inputs := 1",
        "stoutputs",
        "lower",
        "len",
        "inputs['gpu_model'].lower",
        "(" * 240 + "1" + ")" * 240,
        "not " * 400 + "1",
        "1\n2",
        "",
        "x" * 501,
        "inputs[",
        "\x00",
        "1j",
        "b'x'",
        "...",
        "-inputs",
        "int(1e400)",
        "inputs['num_gpus'] < 'x'",
        "inputs['nothing']",
        "inputs[0]",
        "'x'[100]",
    ],
)
def test_everything_else_is_refused_at_once(condition: str) -> None:
    began = time.monotonic()
    with pytest.raises(ConditionError):
        holds(condition, INPUTS, {})
    assert time.monotonic() - began < 2


words = st.sampled_from(
    [
        "inputs",
        "outputs",
        "key",
        "['a']",
        ".get('a')",
        "==",
        "and",
        "or",
        "not",
        "(",
        ")",
        "1",
        "'x'",
        "in",
        "<",
        "len(",
        "[",
        "]",
        ".",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(words, max_size=12).map(" ".join) | st.text(max_size=60), st.dictionaries(st.just("a"), values))
def test_any_text_gives_an_answer_or_a_condition_error(condition: str, inputs: dict[str, Any]) -> None:
    with contextlib.suppress(ConditionError):
        assert holds(condition, inputs, {}) in (True, False)


def test_a_condition_that_is_no_text() -> None:
    assert parse(True)
    with pytest.raises(ConditionError):
        parse(["inputs"])
