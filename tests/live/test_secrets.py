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


CARD = "4929830147256618"
CODE = "Qx7vTr2m"
REGROUPING = rb"""<!doctype html><title>Card</title><link rel=icon href=data:,><body>
<form onsubmit="event.preventDefault()"><input aria-label=Card id=card required pattern="never">
<input aria-label=Code id=code><button>Pay</button></form>
<button id=show>Show</button><div id=out></div><div id=live role=alert></div>
<script>
const query = new URLSearchParams(location.search);
const note = (name) => fetch(`/note?id=${query.get('id')}&name=${name}`, {method: 'POST', body: 'true'});
const group = (text, by) => text.replace(/[^0-9a-z]/gi, '').match(/.{1,4}/g).join(by);
const card = document.getElementById('card');
card.oninput = () => { card.value = group(card.value, ' '); };
document.getElementById('show').onclick = () => {
  const [text, code] = [card.value, document.getElementById('code').value];
  const ways = [' ', '-', '\u00a0', '\u2009', '.', ' - ', '\u200b', '/', '\u2013'].map((by) => group(text, by));
  ways.push(...[...code].join(' '), group(code, '-').toUpperCase(), code.toLowerCase(), code.toUpperCase(),
    [...code].join('-'), group(code, '\u00a0'), [...text].join(' '));
  const all = ways.join(' | ');
  const out = document.getElementById('out');
  for (const way of [...ways, all]) {
    const button = document.createElement('button');
    button.textContent = way;
    const field = Object.assign(document.createElement('input'), {value: way, title: way, placeholder: way});
    field.setAttribute('aria-label', `Kept ${way}`);
    const link = Object.assign(document.createElement('a'), {href: '/still?v=' + encodeURIComponent(way), textContent: 'go'});
    const select = document.createElement('select');
    select.add(new Option(way)); select.setAttribute('aria-description', way);
    const image = Object.assign(document.createElement('img'), {alt: way, width: 9, height: 9});
    const heading = Object.assign(document.createElement('h2'), {textContent: way});
    const row = document.createElement('p');
    row.append(heading, button, field, link, select, image, way);
    out.append(row);
    console.log(way);
  }
  document.title = all;
  history.pushState(null, '', '?id=' + query.get('id') + '#' + encodeURIComponent(group(text, ' ')));
  document.getElementById('live').textContent = all;
  card.setCustomValidity(all);
  setTimeout(() => prompt(group(text, '-'), group(text, ' ')), 30);
};
</script>"""


def told_signs(what):
    """All that was said, without what may stand between groups, in one case."""
    text = what if isinstance(what, str) else json.dumps(what, ensure_ascii=False)
    text = text.replace("\\u200b", "").replace("%20", "").replace("%C2%A0", "")
    return "".join(sign for sign in text if sign.isalnum()).lower()


def test_values_in_other_groups(keeper, web):
    """As a page groups them anew, in whatever it shows of them and wherever that is told."""
    api = keeper.api
    web.files["/regrouping.html"] = REGROUPING
    visit = web.visit("/regrouping.html")
    secrets = {"card": CARD, "code": CODE}
    said = []
    with (
        api.session(new_room("groups"), initial_url=visit.url, secrets=secrets) as room,
        api.events(room, ["all"]) as events,
    ):
        typing = {"index": api.index_of(room, "Card"), "text": "{{card}}"}
        said.append(api.act(room, "type", **typing))
        said.append(api.do(room, "type", index=api.index_of(room, "Code"), text="{{code}}"))
        shown = api.context(room, elements="true")["elements"]
        assert next(e for e in shown if e["name"] == "Card")["value"] == "{{card}}"
        said.append(api.act(room, "click", index=api.index_of(room, "Show")))
        said.append(events.wait("dialog"))
        said.append(api.context(room))
        said.append(api.do(room, "handle_dialog", accept=True))
        find = group = f"{CARD[:4]} {CARD[4:8]}"
        for options in (
            {"elements": "true", "limit": 500},
            {"elements": "true"},
            {"accessibility": "true"},
            {"text": "true"},
            {"find": "Kept"},
        ):
            context = api.context(room, **options)
            said.append(context)
            for more in ("more", "accessibility_more", "text_cursor"):
                while context.get(more):
                    context = api.context(room, **{more: context[more]})
                    said.append(context)
        assert any(f"Kept {{{{card}}}}" in e["name"] for e in api.elements(room))
        found = api.context(room, find=find)
        assert group not in json.dumps(found["found"])
        said += [api.act(room, "click", index=api.index_of(room, "Pay"))]
        # A caller that repeats it gets it back no more than anybody else.
        said += [api.act(room, "click", **{f"{CARD[:8]} {CARD[8:]}": 1})]
        said += [api.act(room, "navigate", url=f"http://127.0.0.1:1/{CARD[:8]}-{CARD[8:]}")]
        said += [api.act(room, "press", keys="Control+A"), api.record(room), api.get("/sessions").json()]
        marks = {"marks": "true", "json": "true"}
        said.append(api.get(f"/sessions/{room}/screenshot", params=marks).json()["elements"])
        said += events.events
    for what in [*said, keeper.log(10**8)]:
        signs = told_signs(what)
        for value in (CARD, CODE.lower()):
            at = signs.find(value)
            assert at < 0, (value, signs[max(0, at - 100) : at + 60], str(what)[:600])
    assert "{{card}}" in json.dumps(said) and "{{code}}" in json.dumps(said)


def test_short_values_leave_the_page_readable(keeper, web):
    """A value of a few signs is masked where it is written, and ordinary text stays."""
    api = keeper.api
    web.files["/ordinary.html"] = (
        b"<!doctype html><title>Ordinary</title><link rel=icon href=data:,><body>"
        b"<button>Items 20-24</button><button>2 0 1 of 2024</button><button>They shun terror</button>"
        b"<button>42</button><button>1420</button><button>PIN: 2-0-2-4</button>"
    )
    secrets = {"pin": "2024", "two": "42", "six": "hunter"}
    url = web.url("/ordinary.html")
    with api.session(new_room("short"), initial_url=url, secrets=secrets) as room:
        names = [element["name"] for element in api.elements(room)]
    assert names == [
        "Items 20-24", "2 0 1 of {{pin}}", "They shun terror", "{{two}}", "1420", "PIN: {{pin}}",
    ]  # fmt: skip


FRAMING = b"""<!doctype html><title>Framing</title><link rel=icon href=data:,><body>
<input aria-label=Mine><iframe style="width:900px;height:500px"></iframe><script>
document.querySelector('iframe').src = new URLSearchParams(location.search).get('inner');
</script>"""


@pytest.mark.parametrize("by_index", [True, False])
def test_a_secret_goes_by_the_origin_of_the_fields_own_frame(keeper, web, by_index):
    """A frame of another origin gets nothing by the page around it, nor does a page by its frame."""
    api = keeper.api
    web.files["/framing.html"] = FRAMING
    home, foreign = "127.0.0.1", "localhost"
    origin = f"http://{home}:{web.port}"
    secrets = {"own-key": {"value": BOUND, "origins": [origin]}}
    said = []

    def enter(room, name):
        index = api.index_of(room, name)
        if not by_index:
            api.do(room, "click", index=index)
        aim = {"index": index} if by_index else {}
        return api.act(room, "type", text="a{{own-key}}", **aim)

    for around, inside in ((home, foreign), (foreign, home)):
        visit = web.visit("/parrot", host=inside)
        page = web.url("/framing.html", host=around, inner=visit.url)
        with (
            api.session(new_room("framing"), initial_url=page, secrets=secrets) as room,
            api.events(room, ["all"]) as events,
        ):
            visit.wait_note("loaded")
            within, on_page = enter(room, "Field"), enter(room, "Mine")
            refused, typed = (within, on_page) if around == home else (on_page, within)
            assert typed["success"], typed
            assert refused["error_kind"] == "blocked" and refused["delivery"] == "not_sent", refused
            assert origin in refused["error"] and f"http://{foreign}:{web.port}" in refused["error"]
            if inside == home:
                visit.wait_note("typed", lambda value: value == f"a{BOUND}")
            said += [within, on_page, api.context(room, elements="true", accessibility="true", text="true")]
            said += [api.record(room), *events.events]
        if inside == foreign:
            assert not any("bound" in note for note in visit.notes("typed"))
    for what in [*said, keeper.log(10**8)]:
        assert BOUND not in (what if isinstance(what, str) else json.dumps(what)), what


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
