"""Secrets are typed by their labels, and are found nowhere in what the service says."""

import json
import subprocess

import pytest

from support.api import assert_envelope, new_room
from support.service import clean_env, running_service

OWN = "Tr0ub4dor &3 geheim"
COMMON = "env-Wert-7391"
BOUND = "bound-Wert-7391"
FORMS = [OWN, "Tr0ub4dor+%263+geheim", "Tr0ub4dor%20%263%20geheim", "Tr0ub4dor%20&3", COMMON]


@pytest.fixture(scope="module")
def keeper(ghostcast_bin, web):
    """A service that has secrets in its environment, and says in its log all that it can."""
    bound = {"value": BOUND, "origins": [f"http://127.0.0.1:{web.port}"]}
    env = {
        "GHOSTCAST_SECRET_COMMON_KEY": COMMON,
        "GHOSTCAST_SECRET_BOUND_KEY": json.dumps(bound),
        "GHOSTCAST_LOG": "debug",
    }
    with running_service(ghostcast_bin, env=env) as service:
        yield service


@pytest.fixture
def opened(keeper, web):
    """A session with a secret of its own, on a page that repeats what is typed into it."""
    api = keeper.api
    visit = web.visit("/parrot")
    room = new_room("secrets")
    spec = {"secrets": {"pass-word": OWN}, "metadata": {"mine": "kept"}}
    record = api.create(room, initial_url=visit.url, **spec)
    yield api, room, visit, record
    api.close(room)


def typed(api, room, name, text, **options):
    """Types into a field found by its name."""
    return api.do(room, "type", index=api.index_of(room, name), text=text, **options)


@pytest.mark.parametrize("field", ["Field", "Password", "Area", "Rich"])
def test_the_page_gets_the_value_and_nobody_else(keeper, opened, field):
    """Everything that the service emits is searched for the value, in every way it is written."""
    api, room, visit, record = opened
    said = [record]
    with api.events(room, ["all"]) as events:
        said.append(typed(api, room, field, "{{pass-word}}"))
        visit.wait_note("typed", lambda value: value == OWN)
        said.append(typed(api, room, "Other", "<{{ COMMON-KEY }}>"))
        visit.wait_note("typed", lambda value: value == f"<{COMMON}>")
        said.append(api.context(room, elements="true", accessibility="true"))
        said.append(
            api.get(f"/sessions/{room}/screenshot", params={"marks": "true", "json": "true"})
            .json()["elements"]
        )
        said.append(api.fail(room, "click", "element_not_found", index=4000))
        # The page puts it into its title, its console, a dialog and its URL.
        said.append(api.do(room, "click", index=api.index_of(room, "Repeat")))
        events.wait("dialog")
        api.do(room, "handle_dialog", accept=True)
        said.append(api.context(room, elements="true", accessibility="true"))
        said.append(api.do(room, "click", index=api.index_of(room, "Send")))
        events.wait("page_navigation", accept=lambda e: "sent" in e["url"])
        said.append(api.act(room, "navigate", url="http://127.0.0.1:1/?p=" + OWN))
        said.append(api.record(room))
        said.append(api.get("/sessions").json())
        said += events.events
    said.append(api.get("/metrics").text)
    said.append(keeper.log(10**8))
    for what in said:
        text = what if isinstance(what, str) else json.dumps(what, ensure_ascii=False)
        for form in FORMS:
            at = text.lower().find(form.lower())
            assert at < 0, (form, text[max(0, at - 200) : at + 100])
    told = json.dumps(said)
    assert "{{pass-word}}" in told
    assert record["metadata"] == {"mine": "kept"} and "secrets" not in record


def test_a_value_is_masked_as_its_placeholder(opened):
    """Whoever reads the context sees that the field is filled, and with what."""
    api, room, visit, _ = opened
    typed(api, room, "Field", "a {{pass-word}} b")
    visit.wait_note("typed", lambda value: value == f"a {OWN} b")
    element = next(e for e in api.elements(room) if e["name"] == "Field")
    assert element["value"] == "a {{pass-word}} b"


def test_unknown_labels_are_named(opened):
    """Nothing is typed, and the sentence says what to do."""
    api, room, visit, _ = opened
    index = api.index_of(room, "Field")
    failed = api.fail(room, "type", "unknown_secret", index=index, text="{{no-such}}")
    assert "no-such" in failed["error"] and "GHOSTCAST_SECRET_NO_SUCH" in failed["error"]
    assert not visit.notes("typed")


@pytest.mark.parametrize("label", ["bound-key", "own-key"])
def test_a_secret_stays_with_its_origins(keeper, web, label):
    """Into a page of another origin it is not typed, whoever gave it."""
    api = keeper.api
    own = {"own-key": {"value": BOUND, "origins": [f"http://127.0.0.1:{web.port}"]}}
    elsewhere = web.visit("/parrot", host="localhost")
    with api.session(new_room("bound"), initial_url=elsewhere.url, secrets=own) as room:
        index = api.index_of(room, "Field")
        failed = api.fail(room, "type", "blocked", index=index, text=f"a{{{{{label}}}}}")
        for word in (label, f"http://127.0.0.1:{web.port}", f"http://localhost:{web.port}"):
            assert word in failed["error"], failed
        assert BOUND not in json.dumps(failed)
        # What is typed next is noted after whatever would have been typed before.
        typed(api, room, "Field", "plain")
        elsewhere.wait_note("typed", lambda value: value == "plain")
        assert not any("bound" in note for note in elsewhere.notes("typed"))
        home = web.visit("/parrot")
        api.do(room, "navigate", url=home.url)
        typed(api, room, "Field", f"a{{{{{label}}}}}")
        home.wait_note("typed", lambda value: value == f"a{BOUND}")


def test_broken_secrets_of_the_environment_stop_the_start(ghostcast_bin):
    """A bound that cannot be read is no bound, so the service does not start without it."""
    for value in (f'{{"value": "{BOUND}" "origins": []}}', f'{{"value": "{BOUND}", "origins": []}}'):
        env = {**clean_env(), "GHOSTCAST_SECRET_BROKEN": value}
        command = [ghostcast_bin, "serve", "--listen", "127.0.0.1:0"]
        ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=20)
        said = ended.stdout + ended.stderr
        assert ended.returncode != 0 and "GHOSTCAST_SECRET_BROKEN" in said, said
        assert BOUND not in said


def test_braces_can_be_typed(opened):
    """Doubled braces are braces, and braces around anything else are text."""
    api, room, visit, _ = opened
    typed(api, room, "Field", "{{{{pass-word}} {{ x + y }}")
    visit.wait_note("typed", lambda value: value == "{{pass-word}} {{ x + y }}")


def test_refused_specs_repeat_no_value(keeper):
    """A mistyped secret is refused without being told."""
    for secrets in (
        {"a": 73917391},
        {"bad label": "x-7391-x"},
        {"a": ""},
        {"a": {"value": "x-7391-x", "origins": []}},
        {"a": {"value": "x-7391-x", "origin": "https://a.test"}},
    ):
        answer = keeper.api.request(
            "POST", "/sessions", json={"room_name": "never", "secrets": secrets}
        )
        assert_envelope(answer, 400, "invalid_input")
        assert "7391" not in answer.text, answer.text
    assert "73917391" not in keeper.log(10**8)
    assert "GHOSTCAST_SECRET" not in keeper.log(10**8), "it is no stray variable"
