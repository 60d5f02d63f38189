"""App profiles: what they may say, and how their mistakes are told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ghostcast import AppProfile, ProfileError
from ghostcast.profile import Condition, Probe, Workflow

EXAMPLE = Path(__file__).parents[3] / "examples" / "marketbridge" / "marketbridge.toml"
README = Path(__file__).parents[1] / "README.md"
LEAST = 'name = "app"\nstart_url = "http://app.example/start?a=1"\n[ready]\nselector = "#app"\n'


def workflow(**fields: Any) -> Workflow:
    steps = fields.pop("steps", [{"action": "click", "target": "#go"}])
    return Workflow.model_validate({"steps": steps, **fields})


def test_the_profile_of_the_example_is_the_one_that_comes_with_the_package() -> None:
    assert AppProfile.load(EXAMPLE) == AppProfile.builtin("marketbridge") == AppProfile.builtin()
    packed = Path(__file__).parents[1] / "src" / "ghostcast" / "profiles" / "marketbridge.toml"
    assert EXAMPLE.read_text() == packed.read_text()


def test_the_profile_of_the_readme() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    made = AppProfile.parse(text).workflows["add"].filled({"article": '4" pipe'})
    assert made.steps[1].target == '[data-article="4\\22  pipe"] .add'


def test_the_least_that_a_profile_says() -> None:
    profile = AppProfile.parse(LEAST)
    assert profile.ready.selector == "#app" and profile.login is None and not profile.workflows


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name = ", "is no TOML"),
        ('name = "app"', "start_url: Field required"),
        (LEAST.replace("http:", "gopher:"), "start_url: .*no http"),
        (LEAST.replace("http://app.example", "http:/app"), "start_url: .*no http"),
        (LEAST + "[extra]\n", "extra: Extra inputs"),
        (LEAST + 'text = "both"\n', "ready: .*exactly one"),
        (LEAST.replace('selector = "#app"', "text = 'x'\nstate = 'hidden'"), "state goes with selector"),
        (LEAST + "[probes.a]\n", "probes.a: .*one of selector and function"),
        (LEAST + "[probes.a]\nfunction = '1'\nattribute = 'x'\n", "attribute goes with selector"),
        (LEAST + "[workflows.a]\nsteps = []\n", "workflows.a.steps"),
        (LEAST + "[workflows.a]\nsteps = [{action = 'upload'}]\n", "no step does 'upload'"),
        (LEAST + "[workflows.a]\nsteps = [{action = 'refresh', target = '#a'}]\n", "takes no target"),
        (LEAST + "[workflows.a]\nsteps = [{action = 'type', text = '{who}'}]\n", "no such parameter: who"),
        (LEAST + "[workflows.'a b']\nsteps = [{action = 'refresh'}]\n", "a b"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(ProfileError, match=told) as wrong:
        AppProfile.load(file)
    assert "wrong.toml" in str(wrong.value)


def test_a_profile_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read"):
        AppProfile.load(tmp_path / "none.toml")
    for name in ("nobody", "../profile", ""):
        with pytest.raises(ProfileError, match="no profile"):
            AppProfile.builtin(name)


def test_parameters_are_written_as_their_place_needs() -> None:
    made = workflow(
        parameters={"a": {}, "b": {"default": "{{secret}}"}},
        steps=[
            {"action": "fill", "target": '[name="{a}"]', "text": "{a} and {b}", "keys": ["{a}"]},
            {"action": "type", "text": "{{a}}"},
        ],
        success={"function": "f({ a: {a} })"},
        failure={"text": "{a}"},
    )
    filled = made.filled({"a": 'x"\\{b}'})
    first, second = filled.steps
    assert first.target == '[name="x\\22 \\5c {b}"]'
    assert first.params == {"text": 'x"\\{b} and {{secret}}', "keys": ['x"\\{b}']}
    assert second.params == {"text": "{{a}}"}, "a label of a secret is no parameter"
    assert filled.success is not None and filled.success.function == 'f({ a: "x\\"\\\\{b}" })'
    assert filled.failure is not None and filled.failure.text == 'x"\\{b}'


def test_wrong_parameters_are_refused() -> None:
    made = workflow(parameters={"a": {"choices": ["1", "2"]}, "b": {"default": "x"}})
    assert made.filled({"a": 1}) == made
    for values, told in (({}, "missing parameter: a"), ({"a": 3}, "none of 1, 2"), ({"c": 1}, "unknown")):
        with pytest.raises(ProfileError, match=told):
            made.filled(values)


def test_an_app_that_is_elsewhere() -> None:
    profile = AppProfile.parse(
        LEAST + "[workflows.a]\nsteps = [{action = 'navigate', url = 'http://app.example/login'},"
        " {action = 'navigate', url = 'http://other.example/'}, {action = 'navigate', url = '/here'}]\n"
    )
    moved = profile.at("http://127.0.0.1:9000/")
    assert moved.start_url == "http://127.0.0.1:9000/start?a=1"
    assert [step.params["url"] for step in moved.workflows["a"].steps] == [
        "http://127.0.0.1:9000/login",
        "http://other.example/",
        "http://127.0.0.1:9000/here",
    ]


def test_conditions_as_scripts() -> None:
    assert Condition(url="http://a.example/*").expression().startswith('new RegExp("^http')
    assert Condition(selector="#a").wait() == {"selector": "#a"}
    assert re.search(r"checkVisibility", Condition(selector="#a").expression())
    assert Probe(selector="#a", attribute="href").expression().endswith('?.getAttribute("href") ?? null')
