"""Logins go out of a session and into another one, in Playwright's own form."""

import pytest

from support.api import assert_envelope, new_room
from support.kept import Site, known_as, start
from support.playwright_browser import browser_context
from support.service import running_service


@pytest.fixture
def site():
    """A site that knows its visitors."""
    site = Site()
    yield site
    site.close()


def state_of(api, key):
    """What sites know the session by."""
    answer = api.get(f"/sessions/{key}/storage_state")
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def test_a_login_goes_from_one_session_to_another(lone_api, site, web):
    """Cookies of all kinds, localStorage and databases, also of a site that no tab shows any more."""
    first, second = new_room(), new_room()
    with lone_api.session(first, initial_url=site.login("Ada")):
        assert "storage Ada" in known_as(lone_api, first)
        lone_api.do(first, "navigate", url=web.url("/still"))
        state = state_of(lone_api, first)
        assert lone_api.context(first)["tabs"] and lone_api.record(first)["page_count"] == 1
    cookies = {cookie["name"]: cookie for cookie in state["cookies"]}
    assert set(cookies) == {"here", "known"}, state
    assert cookies["here"]["expires"] == -1 and cookies["here"]["httpOnly"], cookies
    assert cookies["known"]["expires"] > 1.7e9 and cookies["known"]["sameSite"] == "Lax"
    assert cookies["here"]["domain"] == "127.0.0.1" and cookies["here"]["path"] == "/"
    items = [{"name": "who", "value": "Ada"}]
    database = {"name": "site", "version": 1, "stores": [{"name": "kept", "autoIncrement": False,
        "records": [{"key": "who", "value": "Ada"}], "indexes": []}]}  # fmt: skip
    assert state["origins"] == [{"origin": site.base, "localStorage": items, "indexedDB": [database]}], state
    with lone_api.session(second, initial_url=site.base, storage_state=state):
        says = known_as(lone_api, second)
        assert says == "cookies here=Ada known=Ada, storage Ada, database Ada, workers 0", says
        again = state_of(lone_api, second)
        # What a browser rounds is the same moment.
        for cookie in [*again["cookies"], *state["cookies"]]:
            cookie["expires"] = round(cookie["expires"])
        assert again == state


@pytest.mark.alone
def test_a_kept_session_knows_where_it_was(ghostcast_bin, site, web):
    """After a restart too; the values are nowhere but in the profile, and a live session takes none."""
    with running_service(ghostcast_bin) as ghostcast:
        api = ghostcast.api
        start(api, "kept", initial_url=site.login("Grace-of-the-state"))
        known_as(api, "kept")
        api.do("kept", "navigate", url=web.url("/still"))
        state = state_of(api, "kept")
        assert [origin["origin"] for origin in state["origins"]] == [site.base]
        refused = api.request("POST", "/sessions", json={"session_name": "kept", "storage_state": state})
        assert_envelope(refused, 409, "conflict")
        api.wait_record("kept", lambda record: "still" in record["current_url"], 5, "it is there")
        start(api, "fresh", storage_state=state, initial_url=site.base)
        assert "storage Grace-of-the-state" in known_as(api, "fresh")
        directory = ghostcast.home / "state"
        assert b"Grace-of-the-state" not in (directory / "ghostcast.db").read_bytes()
        assert "Grace-of-the-state" not in ghostcast.log()
        assert "Grace" not in str(api.record("fresh"))


def databases(*all_of_them):
    """A state that has these of one origin."""
    return {"origins": [{"origin": "https://a.test", "indexedDB": list(all_of_them)}]}


def test_what_cannot_be_put_in_is_refused(lone_api):
    """No session is left of it."""
    cookie = {"name": "a", "value": "b", "domain": "example.com", "path": "/"}
    for state, status, kind in (
        ({"cookies": [{**cookie, "domain": ""}]}, 400, "invalid_input"),
        ({"cookies": [{**cookie, "sameSite": "Sometimes"}]}, 400, "invalid_input"),
        ({"origins": [{"origin": "example.com"}]}, 400, "invalid_input"),
        ({"origins": [{"origin": "https://a.test", "opfs": [{"path": "a", "type": "directory"}]}]},
            422, "unsupported"),
        ({"credentials": [{}]}, 422, "unsupported"),
        ({"origins": [{"origin": "https://a.test"}, {"origin": "https://a.test"}]}, 400, "invalid_input"),
        (databases({}), 400, "invalid_input"),
        (databases({"name": "d", "version": 1.5}), 400, "invalid_input"),
        (databases({"name": "d", "version": 1, "stores": [{"name": "s", "records": [{"key": 1}]}]}),
            400, "invalid_input"),
        # What only the browser knows.
        (databases({"name": "d", "version": 1, "stores": [{"name": "s"}, {"name": "s"}]}),
            422, "unprocessable"),
        (databases({"name": "d", "version": 1, "stores": [{"name": "s", "records": [
            {"key": 1, "value": 1}, {"key": 1, "value": 2}]}]}), 422, "unprocessable"),
        (databases({"name": "d", "version": 1, "stores": [{"name": "s", "records": [
            {"key": 1, "valueEncoded": {"h": 0}}]}]}), 422, "unprocessable"),
        ({"cookies": [{**cookie, "name": "__Host-x"}]}, 422, "unprocessable"),
        # More than other bodies may have, and less than a browser stores of one origin.
        ({"origins": [{"origin": "https://a.test", "localStorage": [
            {"name": "k", "value": "x" * 1_000_000}]}]}, 201, None),
        ({"origins": [{"origin": "https://a.test", "localStorage": [
            {"name": "k", "value": "x" * 9_000_000}]}]}, 422, "unprocessable"),
    ):  # fmt: skip
        room = new_room()
        answer = lone_api.request("POST", "/sessions", json={"room_name": room, "storage_state": state})
        if kind:
            assert_envelope(answer, status, kind)
            assert lone_api.request("GET", f"/sessions/{room}").status_code == 404
        else:
            assert answer.status_code == status, answer.text
            lone_api.close(room)


# Everything that a database holds and JSON does not, and how the page tells that it is as it was.
RICH = """<!doctype html><title>rich</title><p id=is>...</p><script>
const done = (asked) => new Promise((give, fail) => {
  asked.onsuccess = () => give(asked.result);
  asked.onerror = () => fail(asked.error);
});
const values = () => {
  const loop = { name: 'loop' };
  loop.self = loop;
  const shared = { n: 1 };
  const all = [
    loop, -0, [shared, shared], new Date(86400000), NaN, -Infinity, 12345678901234567890n, undefined, null, 'ü€😀\\u2028', [1, [2, 3]],
    new Map([['k', new Set([1, 'two'])]]), new Uint16Array([1, 65535]),
    new Float64Array([0.1, 1e308]), new Uint8Array([0, 1, 255]).buffer, /a+b/giu, { ['__pro' + 'to__x']: 1, v: 'undefined' },
    new RangeError('far'), { plain: [true, false, null, 0.1 + 0.2, 1e21, ''] }, { o: [], id: 7 }, { ref: 1 },
  ];
  // Playwright itself takes none of the first three out of a database as it is.
  return location.search === '?make' ? all : all.slice(3);
};
const openIt = (make) => {
  const asked = indexedDB.open('rich', 7);
  if (make) asked.onupgradeneeded = () => {
    const db = asked.result;
    db.createObjectStore('values', { autoIncrement: true });
    db.createObjectStore('keys');
    const people = db.createObjectStore('people', { keyPath: ['id', 'at.town'] });
    people.createIndex('tags', 'tags', { multiEntry: true });
    people.createIndex('name', ['first', 'last'], { unique: true });
    db.createObjectStore('empty', { keyPath: 'id', autoIncrement: true });
  };
  return done(asked);
};
async function make() {
  const db = await openIt(true);
  const at = db.transaction([...db.objectStoreNames], 'readwrite');
  for (const value of values()) at.objectStore('values').add(value);
  for (const key of [1.5, 'a', new Date(5), new Uint8Array([9]).buffer, [1, ['b', new Date(6)]]]) at.objectStore('keys').add('x', key);
  at.objectStore('people').add({ id: 1, at: { town: 'Ulm' }, first: 'A', last: 'B', tags: ['x', 'y'] });
  await new Promise((give) => { at.oncomplete = give; });
  db.close();
}
const shown = (value, seen = []) => {
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : `${typeof value} ${String(value)}`;
  if (seen.includes(value)) return `again ${seen.indexOf(value)}`;
  seen.push(value);
  const kind = Object.prototype.toString.call(value);
  const inner = (item) => shown(item, seen);
  if (value instanceof Date) return `${kind} ${value.getTime()}`;
  if (value instanceof Error) return `${value.name} ${value.message}`;
  if (value instanceof ArrayBuffer) return `${kind} ${[...new Uint8Array(value)]}`;
  if (ArrayBuffer.isView(value)) return `${kind} ${[...value]}`;
  if (value instanceof Map || value instanceof Set) return `${kind} ${[...value].map(inner)}`;
  if (value instanceof RegExp) return String(value);
  return `${kind} {${Object.entries(value).filter(([, v]) => v !== undefined).map(([k, v]) => k + '=' + inner(v))}}`;
};
async function tell() {
  const known = (await indexedDB.databases()).map(({ name, version }) => name + ' ' + version);
  if (known.length === 0) return 'nothing';
  const db = await openIt(false);
  const at = db.transaction([...db.objectStoreNames]);
  const lines = [known.join()];
  for (const name of db.objectStoreNames) {
    const store = at.objectStore(name);
    lines.push(`store ${name} ${JSON.stringify(store.keyPath)} ${store.autoIncrement}`);
    for (const index of store.indexNames) {
      const { keyPath, unique, multiEntry } = store.index(index);
      lines.push(`index ${index} ${JSON.stringify(keyPath)} ${unique} ${multiEntry}`);
    }
    for (const key of await done(store.getAllKeys())) lines.push(`${shown(key)}: ${shown(await done(store.get(key)))}`);
  }
  const towns = await done(at.objectStore('people').index('tags').getAllKeys('y'));
  return [...lines, 'found ' + JSON.stringify(towns)].join('\\n');
}
(location.search ? make() : Promise.resolve()).then(tell).then(
  (text) => { document.getElementById('is').textContent = text; document.title = 'told'; },
  (error) => { document.title = 'failed: ' + error; },
);
</script>"""


def told_by(api, room):
    """What the page says that it has."""
    api.wait_record(room, lambda record: record["title"] == "told", 10, "the page has looked")
    script = "document.getElementById('is').textContent"
    return api.run(room, script)


def test_databases_go_to_playwright_and_come_from_it(lone_api, web):
    """All that IndexedDB holds, in both directions, judged by the page; Playwright is the other one."""
    web.files["/rich.html"] = RICH.encode()
    first, second, third = new_room(), new_room(), new_room()
    with lone_api.session(first, initial_url=web.url("/rich.html?make")):
        whole = told_by(lone_api, first)
        assert whole.startswith("rich 7\nstore empty") and whole.count("\n") > 30, whole
        ours = state_of(lone_api, first)
        assert "leftOut" not in ours["origins"][0], ours
        brief = lone_api.get(f"/sessions/{first}/storage_state", params={"indexed_db": "false"}).json()
        assert brief["origins"] == [], brief
    with browser_context(storage_state=ours) as context:
        page = context.new_page()
        page.goto(web.url("/rich.html"))
        page.wait_for_function("document.title !== 'rich'")
        assert page.text_content("#is") == whole
    with browser_context() as context:
        page = context.new_page()
        page.goto(web.url("/rich.html?most"))
        page.wait_for_function("document.title !== 'rich'")
        most = page.text_content("#is")
        theirs = context.storage_state(indexed_db=True)
    assert 20 < most.count("\n") == whole.count("\n") - 3, most
    for room, state, expected in ((second, ours, whole), (third, theirs, most)):
        with lone_api.session(room, initial_url=web.url("/rich.html"), storage_state=state):
            seen = told_by(lone_api, room)
            assert seen == expected
            again = state_of(lone_api, room)
            if state is ours:
                assert again["origins"] == ours["origins"]


def test_what_the_form_cannot_hold_is_named(lone_api, web):
    """The rest is taken, and comes back; no page is kept from its database meanwhile."""
    web.files["/odd.html"] = b"""<!doctype html><title>odd</title><script>
const open = (name, stores) => new Promise((give) => {
  const asked = indexedDB.open(name, 1);
  asked.onupgradeneeded = () => stores.forEach((store) => asked.result.createObjectStore(store));
  asked.onsuccess = () => give(asked.result);
});
const fill = (db, store, values) => new Promise((give) => {
  const at = db.transaction(store, 'readwrite');
  values.forEach((value, key) => at.objectStore(store).add(value, key));
  at.oncomplete = give;
});
(async () => {
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 128 }, false, ['encrypt']);
  await fill(await open('keys', ['held', 'not']), 'not', [key, 1, new Blob(['x']), key]);
  await fill(await open('large', ['much']), 'much', Array.from({ length: 20 }, () => 'x'.repeat(1 << 20)));
  let deep = 1;
  for (let level = 0; level < 60; level += 1) deep = { deep };
  await fill(await open('deep', ['down']), 'down', [deep, 2]);
  const [vast, gaps] = [[], [1, , 3]];
  vast.length = 4294967295;
  await fill(await open('odd', ['one']), 'one', [vast, gaps, new Error('x', { cause: 'y' }), new Date(NaN), new DOMException('z')]);
  await open('stuck', ['one']);
  indexedDB.open('stuck', 2);
  localStorage.setItem('__proto__', 'kept');
  localStorage.setItem('length', 'too');
  localStorage.setItem('half', '\\ud800');
  document.title = 'filled';
})().catch((error) => { document.title = error; });
</script>"""
    room, other = new_room(), new_room()
    with lone_api.session(room, initial_url=web.url("/odd.html")):
        lone_api.wait_record(room, lambda record: record["title"] == "filled", 10, "all is stored")
        state = state_of(lone_api, room)
        # The page still has all of them open, and may change them.
        script = """new Promise((give) => { const asked = indexedDB.deleteDatabase('deep');
            asked.onsuccess = () => give('gone'); asked.onblocked = () => give('blocked'); })"""
        blocked = lone_api.run(room, script)
        assert blocked == "blocked", "by the page itself, which has not closed it"
    (origin,) = state["origins"]
    left = sorted(origin["leftOut"], key=str)
    whys = {(one.get("database"), one.get("store"), one.get("records"), one.get("item")): one["why"] for one in left}
    assert whys.pop((None, None, None, "half")).endswith("not Unicode"), left
    assert "MiB" in whys.pop(("large", None, None, None)), left
    assert "in time" in whys.pop(("stuck", None, None, None)), left
    assert "deeply" in whys.pop(("deep", "down", 1, None)), left
    assert "gaps" in whys.pop(("odd", "one", 2, None)), left
    assert [whys.pop(key) for key in list(whys) if key[0] == "odd" and key[2] == 1], left
    kinds = {records: why for (database, store, records, _), why in whys.items() if (database, store) == ("keys", "not")}
    assert "CryptoKey" in kinds[2] and "Blob" in kinds[1] and len(whys) == 2, left
    held = {database["name"]: database["stores"] for database in origin["indexedDB"]}
    assert set(held) == {"keys", "deep", "odd"}, held
    assert [store["records"] for store in held["keys"]] == [[], [{"key": 1, "value": 1}]], held
    items = {item["name"]: item["value"] for item in origin["localStorage"]}
    assert items == {"__proto__": "kept", "length": "too"}, items
    with lone_api.session(other, initial_url=web.url("/still"), storage_state=state):
        again = state_of(lone_api, other)["origins"]
        del origin["leftOut"]
        assert again == [origin], again


def test_a_state_replaces_what_a_kept_session_had(lone_api, site):
    """Also its databases: nobody is logged in as two."""
    name = new_room()
    start(lone_api, name, initial_url=site.login("Ada"))
    known_as(lone_api, name)
    state = state_of(lone_api, name)
    lone_api.do(name, "navigate", url=site.login("Bob"))
    lone_api.wait_record(name, lambda record: "Bob" in record["current_url"], 5, "it is there")
    assert "database Bob" in known_as(lone_api, name)
    lone_api.close(name)
    start(lone_api, name, initial_url=site.base, storage_state=state)
    ada = "cookies here=Ada known=Ada, storage Ada, database Ada, workers 1"
    assert known_as(lone_api, name) == ada
    # One that a browser does not take whole changes nothing.
    lone_api.close(name)
    state["origins"][0]["indexedDB"][0]["stores"].append({"name": "kept"})
    state["origins"][0]["localStorage"][0]["value"] = "Eve"
    spec = {"session_name": name, "initial_url": site.base, "storage_state": state}
    refusal = assert_envelope(lone_api.request("POST", "/sessions", json=spec), 422, "unprocessable")
    assert '"site": ConstraintError' in str(refusal), refusal
    start(lone_api, name, initial_url=site.base)
    assert known_as(lone_api, name) == ada
    lone_api.request("DELETE", f"/sessions/{name}?profile=delete")
