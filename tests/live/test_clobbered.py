"""Pages whose markup takes the names of what scripts read are listed and used like any other."""

import pytest
from support.api import new_room

# Names of fields shadow those of their form, and of pictures and forms those of the document.
NAMES = """nodeType nodeName parentNode parentElement childNodes children firstChild lastChild nextSibling
firstElementChild nextElementSibling previousElementSibling childElementCount attributes tagName localName
namespaceURI className classList id name title style type value hidden dataset getAttribute getAttributeNames
hasAttribute setAttribute matches closest contains querySelector querySelectorAll getElementsByTagName
getBoundingClientRect getClientRects getRootNode isConnected ownerDocument baseURI textContent innerText
innerHTML checkVisibility scrollIntoView scrollTop scrollHeight clientWidth clientHeight offsetWidth
offsetHeight offsetParent focus blur click submit reset requestSubmit elements length action method target
addEventListener removeEventListener dispatchEvent getAnimations animate shadowRoot assignedSlot slot
editContext isContentEditable contentEditable checkValidity reportValidity role ariaLabel tabIndex open
labels form disabled required checked selectedOptions options href constructor toString valueOf""".split()
OF_DOCUMENT = """body documentElement title readyState styleSheets adoptedStyleSheets hasFocus querySelector
querySelectorAll getElementById activeElement elementFromPoint elementsFromPoint createElement createRange
createDocumentFragment createTreeWalker addEventListener defaultView designMode scrollingElement location
nodeType parentNode children head forms getSelection execCommand contains fonts visibilityState URL cookie
getAnimations ownerDocument documentURI implementation""".split()


def clobbered():
    """A form of such fields among such pictures, in a page and in a frame of it."""
    fields = "".join(f"<input name={name} aria-label='Field {name}' value=x size=3> " for name in NAMES)
    pictures = "".join(f"<img name={name} alt='' width=9 height=9>" for name in OF_DOCUMENT)
    forms = "".join(f"<form name={name}></form>" for name in OF_DOCUMENT[:6])
    return f"""<!doctype html><title>Clobbered</title><link rel=icon href=data:,>
<style>b:hover{{cursor:pointer}}</style>
<form id=f aria-labelledby=f onclick="0" onsubmit="told('sent'); event.preventDefault()">
<label for=mine>Mine</label> <input id=mine name=mine required>
<select name=choice aria-label=Choice><option>One<option>Two</select>
<label><input type=checkbox name=check> Check</label> <button>Send</button> <p>{fields}</p></form>
{pictures}{forms}<p style="height:1500px">Tall</p><button type=button onclick="told('low')">Low</button>
<script>
const told = (what) => parent.postMessage(what, '*');
addEventListener('message', (event) => Object.getOwnPropertyDescriptor(Document.prototype, 'title').set.call(document, event.data));
const of = (proto, name) => Object.getOwnPropertyDescriptor(proto, name);
</script>"""


ODD = b"""<!doctype html><title>Odd</title><link rel=icon href=data:,><body>
<div id=box role=dialog aria-modal=true aria-labelledby=called style="position:fixed;inset:20%;background:#eee">
<h2 id=called>Question</h2><button onclick="box.remove()">Close it</button></div>
<button style="position:fixed;top:0" onclick="for (const kind of ['input', 'change', 'invalid', 'submit'])
 { window.dispatchEvent(new Event(kind)); document.dispatchEvent(new Event(kind)); }
 document.title = 'Told'">Tell the window</button>
<div id=host></div><script>
// Closed roots that come and go, and nodes of another realm.
const busy = document.createElement('iframe');
document.body.append(busy);
setInterval(() => {
  const div = busy.contentDocument.createElement('div');
  div.attachShadow({mode: 'closed'}).innerHTML = '<button>In the dark</button>';
  div.onclick = () => {};
  document.getElementById('host').replaceChildren(document.adoptNode(div));
}, 3);
</script>"""


@pytest.fixture(scope="module")
def room(lone_ghostcast, web):
    """A session for all of them."""
    page = clobbered()
    web.files["/clobbered.html"] = page.encode()
    web.files["/around.html"] = (
        "<!doctype html><title>Around</title><link rel=icon href=data:,><body>"
        "<iframe src=/clobbered.html style='width:1200px;height:650px'></iframe>"
        "<script>addEventListener('message', (e) => { document.title = e.data; })</script>"
    ).encode()
    web.files["/odd.html"] = ODD
    with lone_ghostcast.api.session(new_room("clobbered")) as room:
        yield room


@pytest.mark.parametrize("path", ["/clobbered.html", "/around.html"])
def test_clobbered_names(lone_api, room, web, path):
    """Listed, read, typed into, chosen from, scrolled to and sent."""
    api = lone_api
    api.do(room, "navigate", url=web.url(path))
    context = api.context(room, elements="true", limit=1000, accessibility="true", text="true", find="Mine")
    assert not context.get("unreadable"), context["unreadable"]
    names = [element["name"] for element in context["elements"]]
    assert {f"Field {name}" for name in NAMES} <= set(names), set(NAMES) - {n[6:] for n in names}
    assert {"Mine", "Choice", "Check", "Send", "Low"} <= set(names)
    assert context["found"] and "Mine" in context["text"]
    index = {element["name"]: element["index"] for element in context["elements"]}
    stopped = api.fail(room, "click", "not_accepted", index=index["Send"])
    assert stopped["changes"], stopped
    assert api.do(room, "type", index=index["Mine"], text="mine")["data"]["value"] == "mine"
    for name in ("nodeType", "parentNode", "attributes", "submit", "addEventListener"):
        typed = api.do(room, "type", index=index[f"Field {name}"], text=name, clear=True)
        assert typed["data"]["value"] == name and typed["target"]["name"] == f"Field {name}"
    api.do(room, "select", index=index["Choice"], label="Two")
    api.do(room, "click", index=index["Check"])
    api.do(room, "click", index=index["Low"])
    wait_title(api, room, "low")
    api.do(room, "scroll", direction="up", index=index["Low"])
    values = {e["name"]: e for e in api.context(room, elements="true", limit=1000)["elements"]}
    assert values["Choice"]["value"] == "Two" and values["Check"]["checked"] is True
    api.do(room, "click", index=index["Send"])
    wait_title(api, room, "sent")
    api.do(room, "type", index=index["Mine"], text="more", submit=True)
    assert api.get(f"/sessions/{room}/screenshot", params={"index": index["Mine"]}).content


def wait_title(api, room, title):
    """The page's script has told it."""
    api.do(room, "wait", **{"for": {"idle": True}})
    assert api.context(room)["title"] == title


def test_objects_of_other_kinds(lone_api, room, web):
    """Events sent to the window, what is taken out with its name, roots that are gone when looked at."""
    api = lone_api
    api.do(room, "navigate", url=web.url("/odd.html"))
    result = api.do(room, "click", index=api.index_of(room, "Tell the window"))
    assert result["title"] == "Told", result
    result = api.do(room, "click", index=api.index_of(room, "Close it"))
    closed = [change["text"] for change in result["changes"] if "closed" in change["text"]]
    assert closed, result
    for _ in range(30):
        context = api.context(room, elements="true", accessibility="true")
        assert context.get("unreadable") in (None, "between_documents"), context["unreadable"]


def test_listing_right_after_a_navigation(lone_api, room, web):
    """Whatever the moment is, a page with frames is read or said to be between two documents."""
    api = lone_api
    for turn in range(15):
        path = ("/around.html", "/odd.html")[turn % 2]
        api.submit(room, "navigate", url=web.url(path, turn=turn))
        for _ in range(6):
            context = api.context(room, elements="true", accessibility="true")
            assert context.get("unreadable") in (None, "between_documents"), context["unreadable"]
