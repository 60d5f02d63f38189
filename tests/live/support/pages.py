"""The test pages, and the geometry of what they paint: the clock's bar code and colour patches.

The bar code is one row of square cells, black for 1: a black and a white cell to recognise it,
32 bits of the wall clock in milliseconds (lowest first), and 4 check bits. It is read back from
decoded pixels, so a reader knows *which* picture it sees and how old that is.
"""

import html
import json

CLOCK_X, CLOCK_Y, CELL, CLOCK_BITS, CHECK_BITS = 32, 4, 32, 32, 4
CLOCK_CELLS = 2 + CLOCK_BITS + CHECK_BITS
CLOCK_HEIGHT = 40

# Primaries, secondaries, greys and skin tones; the colours people notice when they are wrong.
PATCHES = [
    *[(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 255, 255), (255, 0, 255)],
    *[(255, 255, 0), (0, 0, 0), (64, 64, 64), (128, 128, 128), (192, 192, 192)],
    *[(204, 51, 51), (141, 85, 36), (198, 134, 66), (224, 172, 105), (255, 219, 172)],
]
PATCH_COLUMNS, PATCH_WIDTH, PATCH_HEIGHT, PATCH_TOP = 5, 240, 200, 60

# Where `still` paints its one block of colour.
BLOCK = (100, 100, 300, 200)

JS_CLOCK = """
const clockBar = document.createElement('canvas');
clockBar.width = 1280; clockBar.height = %(height)d;
clockBar.style.cssText = 'position:fixed;left:0;top:0;z-index:9';
document.body.prepend(clockBar);
function paintClock() {
  const value = Math.floor(performance.timeOrigin + performance.now()) %% 4294967296;
  const ink = clockBar.getContext('2d');
  ink.fillStyle = '#fff'; ink.fillRect(0, 0, 1280, %(height)d);
  ink.fillStyle = '#000';
  let check = 10;
  for (let nibble = 0; nibble < 8; nibble++) check ^= Math.floor(value / 16 ** nibble) %% 16;
  const bits = [1, 0];
  for (let i = 0; i < %(bits)d; i++) bits.push(Math.floor(value / 2 ** i) %% 2);
  for (let i = 0; i < %(checks)d; i++) bits.push((check >> i) & 1);
  bits.forEach((bit, i) => {
    if (bit) ink.fillRect(%(x)d + i * %(cell)d, %(y)d, %(cell)d, %(cell)d);
  });
  return value;
}
""" % {
    "height": CLOCK_HEIGHT,
    "bits": CLOCK_BITS,
    "checks": CHECK_BITS,
    "x": CLOCK_X,
    "y": CLOCK_Y,
    "cell": CELL,
}

JS_NOTE = """
const query = new URLSearchParams(location.search);
function note(name, value) {
  const address = '/note?id=' + query.get('id') + '&name=' + name;
  return fetch(address, {method: 'POST', body: JSON.stringify(value ?? null), keepalive: true});
}
"""


def page(title, body, script="", style=""):
    """A whole document with the helpers in place."""
    return (
        f"<!doctype html><meta charset=utf-8><title>{html.escape(title)}</title>"
        f"<link rel=icon href=data:,><style>body{{margin:0;background:#fff;"
        f"font:20px sans-serif}}{style}</style>"
        f"<body>{body}<script>{JS_NOTE}{JS_CLOCK}{script}</script></body>"
    )


def block(colour):
    """The block of colour by which a page is told from another."""
    x, y, width, height = BLOCK
    return (
        f"<div id=block style='position:absolute;left:{x}px;top:{y}px;width:{width}px;"
        f"height:{height}px;background:#{colour}'></div>"
    )


def still(query):
    """Painted once, its clock too: the clock names this very load of the page."""
    colour = query.get("colour", "cc3333")
    return page("Still", block(colour), "const value = paintClock(); note('loaded', value);")


def clock(query):
    """Repaints with every frame of the browser, and moves a box."""
    body = block(query.get("colour", "cc3333")) + (
        "<div id=box style='position:absolute;top:600px;width:80px;height:80px;"
        "background:#36c'></div>"
    )
    script = """
let count = 0;
(function frame() {
  paintClock();
  document.getElementById('box').style.left = (++count * 4) % 1200 + 'px';
  requestAnimationFrame(frame);
})();
note('loaded');
"""
    return page("Clock", body, script)


def bouts(_query):
    """Repaints for a second, rests for another, again and again; notes where each bout ends."""
    script = """
let until = performance.now() + 1000;
(function frame() {
  const value = paintClock();
  if (performance.now() < until) return requestAnimationFrame(frame);
  note('rests', value);
  setTimeout(() => { until = performance.now() + 1000; frame(); }, 1500);
})();
"""
    return page("Bouts", "", script)


def patches(_query):
    """Flat patches of known colours, under the clock."""
    cells = "".join(
        f"<div style='position:absolute;left:{(i % PATCH_COLUMNS) * PATCH_WIDTH}px;"
        f"top:{PATCH_TOP + i // PATCH_COLUMNS * PATCH_HEIGHT}px;width:{PATCH_WIDTH}px;"
        f"height:{PATCH_HEIGHT}px;background:rgb{colour}'></div>"
        for i, colour in enumerate(PATCHES)
    )
    return page("Patches", cells, "paintClock(); note('loaded');")


def patch_centre(number):
    """The middle of a patch, CSS px."""
    column, row = number % PATCH_COLUMNS, number // PATCH_COLUMNS
    return (
        column * PATCH_WIDTH + PATCH_WIDTH // 2,
        PATCH_TOP + row * PATCH_HEIGHT + PATCH_HEIGHT // 2,
    )


def form(query):
    """Buttons, fields, a link, a frame; whatever happens to them is noted."""
    padding = int(query.get("padding", 0))
    body = f"""
<div style='padding:60px 20px'>
<button id=press>Press me</button> <button id=paint>Paint it</button>
<button id=vanish>Remove me</button> <button id=push>Push state</button>
<button id=add>Add one</button>
<p><input id=field aria-label="Field"> <input id=other aria-label="Other field" value="before">
<form id=form><input id=search aria-label="Search"></form>
<textarea id=area aria-label="Area"></textarea>
<p><a id=link href="/still">A link</a>
<p><iframe id=inner width=400 height=100></iframe>
<div id=room></div><div style='height:{padding}px'></div></div>
"""
    script = """
const on = (id, event, then) => document.getElementById(id).addEventListener(event, then);
document.getElementById('inner').src = '/inner' + location.search;
addEventListener('click', (e) => note('click', {
  x: e.clientX, y: e.clientY, button: e.button, detail: e.detail, target: e.target.id,
  trusted: e.isTrusted}), true);
addEventListener('auxclick', (e) => note('auxclick', {button: e.button, x: e.clientX}), true);
for (const id of ['field', 'other', 'search', 'area'])
  on(id, 'input', (e) => note(id, e.target.value));
on('form', 'submit', (e) => { e.preventDefault();
  note('submit', document.getElementById('search').value); });
on('vanish', 'click', (e) => e.target.remove());
on('paint', 'click', () => { document.body.style.background = '#3366cc'; });
on('push', 'click', () => { history.pushState({}, '', '/pushed?id=' + query.get('id'));
  document.title = 'Pushed'; });
on('add', 'click', () => { const made = document.createElement('button');
  made.textContent = 'Made later'; document.getElementById('room').append(made); });
note('loaded', {url: location.href, title: document.title, ready_state: document.readyState});
addEventListener('load', () => setTimeout(() => note('facts',
  {url: location.href, title: document.title, ready_state: document.readyState,
   width: innerWidth, height: innerHeight}), 0));
"""
    return page("Form & more", body, script)


def hands(_query):
    """What keys, choices, files, drags, dialogs and the clipboard are for; whatever happens is noted."""
    body = """
<div style='padding:40px 20px'>
<button id=over>Hover me</button> <button id=ask>Ask me</button> <button id=off disabled>Not now</button>
<p><input id=line aria-label="Line" value="before">
<p><select id=size aria-label="Size"><option value=s>Small</option><option value=l>Large</option></select>
<p><input id=file type=file aria-label="File">
<p><button id=card draggable=true>Card</button> <button id=tray style='width:200px;height:60px'>Tray</button>
</div>
"""
    script = """
const on = (id, event, then) => document.getElementById(id).addEventListener(event, then);
on('over', 'mouseenter', () => note('hover', true));
on('ask', 'click', () => note('answer', confirm('Really?')));
on('off', 'click', () => note('off', true));
on('line', 'input', (e) => note('line', e.target.value));
on('size', 'change', (e) => note('size', e.target.value));
on('file', 'change', async (e) => note('file', await e.target.files[0].text()));
on('card', 'dragstart', (e) => e.dataTransfer.setData('text/plain', 'card'));
on('tray', 'dragover', (e) => e.preventDefault());
on('tray', 'drop', (e) => { e.preventDefault(); note('drop', e.dataTransfer.getData('text/plain')); });
"""
    return page("Hands", body, script)


def oddments(_query):
    """Things that are made in a way of their own: a terminal, a board that looks now and then where the
    pointer is, a checkbox of a component, choices with something below them."""
    body = """
<style>ul { display: inline-block; vertical-align: top; list-style: none; padding: 10px; width: 180px; min-height: 60px; background: #eee }
li { padding: 10px; background: #fff; margin: 2px } #dock { background: #cde; width: 200px; height: 60px }</style>
<div id=screen>$ <span id=line></span></div><input id=keys aria-label=Terminal>
<p><input id=digits aria-label=Digits><output id=said aria-live=polite></output>
<p><input id=code aria-label=Code> <button id=plain>Plain</button>
<ul id=from aria-label=From><li>Only card</li></ul><ul id=to aria-label=To><li>Anchor</li></ul>
<div id=box></div>
<div id=list role=listbox aria-label=Colours><div role=option>Red</div><div id=add>Add violet</div></div>
"""
    script = """
const at = (id) => document.getElementById(id);
at('keys').addEventListener('input', (e) => { at('line').textContent += e.target.value; e.target.value = ''; note('screen', at('screen').textContent); });
at('digits').addEventListener('input', (e) => { at('said').textContent = e.target.value; e.target.value = e.target.value.replace(/[^0-9]/g, ''); });
at('list').addEventListener('click', (e) => note('chosen', e.target.textContent));
addEventListener('mousedown', (e) => note('pressed', e.target.closest('li, button, ul, div')?.textContent || ''));
// Where the pointer is is asked every 50 ms, and only what lies on one half of a card is an answer.
let held = null, where = null;
for (const id of ['from', 'to']) {
  at(id).addEventListener('dragover', (e) => e.preventDefault());
  at(id).addEventListener('mousedown', (e) => { held = e.target.closest('li'); e.preventDefault(); });
}
addEventListener('mousemove', (e) => { where = [e.clientX, e.clientY]; });
setInterval(() => {
  if (!held || !where) return;
  const over = document.elementsFromPoint(...where).find((el) => el.matches('li') && el !== held);
  if (!over) return;
  const { top, height } = over.getBoundingClientRect();
  const middle = top + height / 2;
  if (where[1] !== middle) over[where[1] > middle ? 'after' : 'before'](held);
}, 50);
addEventListener('mouseup', () => {
  if (held) note('lists', [at('from').textContent, at('to').textContent]);
  held = null;
});
const root = at('box').attachShadow({ mode: 'open' });
root.innerHTML = `<label><input type=checkbox style="position:absolute;opacity:0;pointer-events:none;width:20px;height:20px">
  News</label>`;
root.querySelector('input').addEventListener('change', (e) => note('news', e.target.checked));
"""
    return page("Oddments", body, script)


def inner(_query):
    """What lies in the frame of `form`."""
    script = "addEventListener('click', (e) => note('inner', e.target.id), true);"
    return page("Inner", "<button id=within style='margin-top:45px'>Within</button>", script)


def tall(_query):
    """Larger than any window, both ways; notes where it is scrolled to."""
    script = """
const tell = () => note('scroll', {x: scrollX, y: scrollY});
addEventListener('scroll', tell); tell();
"""
    sheet = "width:5000px;height:5000px;background:linear-gradient(135deg,#fff,#48c)"
    return page("Tall", f"<div style='{sheet}'></div>", script)


# A picture with the statistics of a photo: soft shapes, and detail of every size over them.
JS_PHOTO = """
function photo(width, height, seed) {
  let state = seed * 2654435761 >>> 0 || 1;
  const random = () => {
    state ^= state << 13; state >>>= 0; state ^= state >>> 17; state ^= state << 5; state >>>= 0;
    return state / 4294967296;
  };
  const made = document.createElement('canvas');
  made.width = width; made.height = height;
  const ink = made.getContext('2d');
  for (let size = height; size > 3; size /= 2)
    for (let i = 0; i < width * height / size / size * 3; i++) {
      ink.fillStyle = `hsla(${random() * 360},${random() * 70}%,${random() * 100}%,.5)`;
      ink.beginPath();
      ink.arc(random() * width, random() * height, size * random() * .7, 0, 7);
      ink.fill();
    }
  return made;
}
"""


def photos(_query):
    """A long column of photos that scrolls fast, down and up again."""
    script = """
for (let i = 0; i < 8; i++) document.body.append(photo(1280, 700, i + 1));
let y = 0, step = 24;
(function frame() {
  paintClock();
  y += step;
  if (y > 4800 || y < 1) step = -step;
  if (y < 1) note('turned');
  scrollTo(0, y);
  requestAnimationFrame(frame);
})();
note('loaded');
"""
    return page("Photos", "", JS_PHOTO + script, "canvas{display:block}")


def lines(query):
    """A text that scrolls, down and up again: small in motion, and large as a picture of its own; or full of small print."""
    words = "'abcdefghijklmnopqrstuvwxyz'.slice((i * 7 + j * 5) % 20)" if "dense" in query else "'quick brown fox'"
    script = f"const words = (i) => Array.from({{length: {14 if 'dense' in query else 5}}}, (_, j) => {words});"
    script += """
for (let i = 0; i < 150; i++) {
  const line = document.createElement('p');
  line.textContent = `${i}. ${words(i).join(' ')}`;
  document.body.append(line);
}
let y = 0, step = 5;
(function frame() {
  paintClock();
  y += step;
  if (y > 3000 || y < 1) step = -step;
  scrollTo(0, y);
  requestAnimationFrame(frame);
})();
note('loaded');
"""
    return page("Lines", "", script, "p{white-space:nowrap;overflow:hidden}")


def snow(_query):
    """A clock and a small patch of noise: many bits for little work."""
    script = """
const snow = document.createElement('canvas');
snow.width = 640; snow.height = 320;
snow.style.marginTop = '80px';
document.body.append(snow);
const ink = snow.getContext('2d'), noise = ink.createImageData(640, 340);
for (let i = 0; i < noise.data.length; i++) noise.data[i] = i % 4 === 3 ? 255 : 256 * Math.random();
let count = 0;
(function frame() {
  paintClock();
  ink.putImageData(noise, 0, -(++count * 7 % 20));
  requestAnimationFrame(frame);
})();
note('loaded');
"""
    return page("Snow", "", script)


def playing(_query):
    """A canvas that plays: photos that pan and turn under one another."""
    script = """
const stage = document.createElement('canvas');
stage.width = 1280; stage.height = 680;
document.body.append(stage);
const ink = stage.getContext('2d'), far = photo(1600, 900, 3), near = photo(400, 400, 4);
let count = 0;
(function frame() {
  paintClock();
  count++;
  ink.setTransform(1, 0, 0, 1, 0, 0);
  ink.drawImage(far, -160 + 150 * Math.sin(count / 40), -100 + 90 * Math.cos(count / 50));
  ink.setTransform(1, 0, 0, 1, 640, 340);
  ink.rotate(count / 30);
  ink.drawImage(near, -200, -200);
  requestAnimationFrame(frame);
})();
note('loaded');
"""
    return page("Playing", "", JS_PHOTO + script, "canvas{display:block}")


def storm(_query):
    """A button that lets loose 3000 changes of the document within a second and a half."""
    script = """
document.getElementById('go').onclick = () => {
  let left = 150;
  const timer = setInterval(() => {
    for (let i = 0; i < 20; i++) {
      const made = document.createElement('p');
      made.textContent = i;
      document.getElementById('room').append(made);
    }
    if (--left === 0) { clearInterval(timer); note('stormed'); }
  }, 10);
};
note('loaded');
"""
    return page("Storm", "<p style='margin-top:60px'><button id=go>Let loose</button></p><div id=room></div>", script)


def chatty(_query):
    """A button that opens a dialog and one that writes to the console."""
    script = """
document.getElementById('ask').onclick = () => { alert('Mind the gap'); note('answered'); };
document.getElementById('say').onclick = () => console.log('said aloud');
note('loaded');
"""
    return page("Chatty", "<p style='margin-top:60px'><button id=ask>Ask</button> <button id=say>Say</button></p>", script)


def flood(query):
    """A button that writes `lines` to the console, in bouts that let the page breathe."""
    lines = int(query.get("lines", 1000))
    script = f"""
document.getElementById('go').onclick = () => {{
  let left = {lines};
  (function bout() {{
    for (let i = 0; i < 1000 && left > 0; i++) console.log('line ' + left--);
    if (left > 0) setTimeout(bout, 0); else note('flooded');
  }})();
}};
note('loaded');
"""
    return page("Flood", "<p style='margin-top:60px'><button id=go>Let loose</button></p>", script)


def storage(_query):
    """Notes what it finds in the browser's stores, then leaves its own mark."""
    script = """
note('found', {cookie: document.cookie, local: localStorage.getItem('mark'),
               session: sessionStorage.getItem('mark')});
localStorage.setItem('mark', query.get('mark'));
sessionStorage.setItem('mark', query.get('mark'));
"""
    return page("Storage", "", script)


def attempt(query):
    """Tries to reach `to` in the way `how`, and notes when the try is over."""
    target = json.dumps(query.get("to", "")).replace("<", "\\u003c")
    ways = {
        "link": "",
        "script": "setTimeout(() => { location = to; }, 50); setTimeout(over, 700);",
        "popup": "",
        "frame": "const f = document.createElement('iframe'); f.onload = over; f.src = to;"
        "document.body.append(f); setTimeout(over, 700);",
        "fetch": "fetch(to, {mode: 'no-cors'}).then(over, over);",
        "image": "const i = new Image(); i.onload = i.onerror = over; i.src = to;",
        "beacon": "navigator.sendBeacon(to, 'x'); setTimeout(over, 700);",
        "socket": "const s = new WebSocket(to.replace('http', 'ws'));"
        "s.onopen = s.onerror = s.onclose = over;",
        "worker": "const w = new Worker(URL.createObjectURL(new Blob(["
        "`fetch(${JSON.stringify(to)}, {mode: 'no-cors'}).finally(() => postMessage(1))`])));"
        "w.onmessage = w.onerror = over;",
        "shared": "const w = new SharedWorker(URL.createObjectURL(new Blob(["
        "`onconnect = (e) => fetch(${JSON.stringify(to)}, {mode: 'no-cors'})"
        ".finally(() => e.ports[0].postMessage(1))`])));"
        "w.port.onmessage = over; w.port.start();",
        "service": "navigator.serviceWorker.register('/fetching-worker.js?to='"
        " + encodeURIComponent(to)).then((r) => { const w = r.installing || r.active;"
        "w.onstatechange = over; setTimeout(over, 3000); }, over);",
        "prefetch": "const l = document.createElement('link'); l.rel = 'prefetch'; l.href = to;"
        "l.onload = l.onerror = over; document.head.append(l); setTimeout(over, 1500);",
        "preload": "const l = document.createElement('link'); l.rel = 'preload'; l.as = 'image';"
        "l.onload = l.onerror = over; l.href = to; document.head.append(l);",
        "style": "const l = document.createElement('link'); l.rel = 'stylesheet';"
        "l.onload = l.onerror = over; l.href = to; document.head.append(l);",
        "module": "import(to).then(over, over);",
        "events": "const s = new EventSource(to); s.onopen = s.onerror = () => { s.close(); over(); };",
        "object": "const o = document.createElement('object'); o.onload = o.onerror = over;"
        "o.data = to; document.body.append(o); setTimeout(over, 1500);",
        "redirect": "setTimeout(() => { location = '/redirect?to=' + encodeURIComponent(to); }, 50);",
        "meta": "const m = document.createElement('meta'); m.httpEquiv = 'refresh';"
        "m.content = `0;url=${to}`; document.head.append(m);",
        "form": "const f = document.createElement('form'); f.method = 'post'; f.action = to;"
        "f.innerHTML = '<input name=a value=b>'; document.body.append(f);"
        "setTimeout(() => f.submit(), 50);",
        "download": "const a = document.createElement('a'); a.href = to; a.download = 'x';"
        "document.body.append(a); setTimeout(() => a.click(), 50); setTimeout(over, 700);",
    }
    body = "<p style='margin-top:60px'><a id=link>Follow</a> <button id=popup>Pop up</button></p>"
    script = f"""
const to = {target};
let told = false;
function over() {{ if (!told) {{ told = true; note('over'); }} }}
document.getElementById('link').href = to;
document.getElementById('popup').onclick = () => {{ open(to, '_blank'); setTimeout(over, 700); }};
note('loaded');
{ways[query.get("how", "link")]}
"""
    return page("Attempt", body, script)


# A service worker that reaches for `to` before it is installed.
FETCHING_WORKER = """
const to = new URL(location.href).searchParams.get('to');
addEventListener('install', (event) => {
  event.waitUntil(fetch(to, {mode: 'no-cors'}).catch(() => {}).then(() => skipWaiting()));
});
"""


def opener(query):
    """Opens another page in each way there is: a script, a link, nothing in it, far too many."""
    target = json.dumps(query.get("to", "about:blank")).replace("<", "\\u003c")
    body = block(query.get("colour", "cc3333")) + (
        "<p style='margin-top:320px'><button id=script>Open by script</button>"
        "<a id=link target=_blank>Open by link</a> <button id=empty>Open empty</button>"
        "<button id=close>Close me</button> <button id=many>Open many</button></p>"
    )
    script = f"""
const to = {target};
const on = (id, then) => {{ document.getElementById(id).onclick = then; }};
document.getElementById('link').href = to;
on('script', () => open(to));
on('empty', () => {{ open().document.title = 'Written'; }});
on('close', () => close());
on('many', () => {{ for (let i = 0; i < 40; i++) open(to); note('opened'); }});
note('loaded');
"""
    return page("Opener", body, script)


def rich(_query):
    """One of everything that can be acted on, each named in another way."""
    body = """
<h1>Rich</h1>
<span id=l1>Labelled</span> <span id=l2>by two</span><input aria-labelledby="l1 l2">
<label for=mail>E-mail</label><input id=mail type=email required value="a@b.test">
<label>Wrapped <input type=checkbox checked></label>
<label><input type=radio name=r>Option one</label>
<input placeholder="Only placeholder"><input title="Only title">
<a href="/x"><img alt="Logo" src="data:," width=20 height=20></a>
<button title="Close it">×</button>
<button aria-label="Menu" aria-expanded=false>M</button><button aria-pressed=true>Bold</button>
<fieldset disabled><legend>Group</legend><button>Inside</button></fieldset>
<details><summary>More info</summary><p>Folded <button>Folded button</button></p></details>
<label for=colour>Colour</label>
<select id=colour><option>Red<option selected>Green</select>
<select multiple aria-label=Many><option>A<option selected>B</select>
<div contenteditable aria-label="Rich text">Hi <b>there</b></div>
<div role=switch aria-checked=true tabindex=0 aria-label="Dark mode">on</div>
<div role=tablist><span role=tab tabindex=0 aria-selected=true>First</span></div>
<div role=menuitemcheckbox aria-checked=mixed tabindex=0>Mixed</div>
<div onclick="1" style="cursor:pointer">Click me</div>
<button hidden>Hidden one</button><button aria-hidden=true>Hidden two</button>
<div inert><button>Hidden three</button></div>
<button style="visibility:hidden">Hidden four</button>
<input type=submit><input type=range min=0 max=9 value=3 aria-label=Range>
<input type=search aria-label=Seek><input type=password aria-label=Pass value=hunter22>
<input type=date aria-label=When><textarea aria-label=Area>txt</textarea>
<label style="cursor:pointer"><input type=checkbox style="display:none">Custom box</label>
<div id=open></div><div id=closed></div>
<iframe srcdoc="<button>In frame</button>" title="Framed" height=60></iframe>
<button><svg width=9 height=9><title>Trash</title></svg></button>
<div role=button tabindex=0>Div <span>button</span></div>
<p style="height:2000px"></p><a href="/far">Far away</a>
"""
    script = """
document.getElementById('open').attachShadow({mode: 'open'}).innerHTML =
  '<button>Open shadow</button>';
document.getElementById('closed').attachShadow({mode: 'closed'}).innerHTML =
  '<button>Closed shadow</button>';
addEventListener('click', (e) => note('click', e.target.id || e.target.textContent), true);
note('loaded');
"""
    return page("Rich", body, script)


def many(query):
    """A long list of rows with a link and a button each."""
    rows = "".join(
        f"<div>Row {i}: <a href='/item/{i}'>Item {i}</a> <button>Buy {i}</button></div>"
        for i in range(int(query.get("rows", 1000)))
    )
    return page("Many", rows, "note('loaded');")


def shuffled(_query):
    """A list that is made anew, in another order, whenever the page is clicked outside of it."""
    script = """
const names = ['Apples', 'Pears', 'Plums', 'Figs'];
function draw() {
  document.getElementById('room').replaceChildren(...names.map((name) => {
    const made = document.createElement('button');
    made.textContent = name;
    made.onclick = (e) => { e.stopPropagation(); note('chosen', name); };
    return made;
  }));
}
draw();
addEventListener('click', () => { names.reverse(); draw(); note('drawn'); });
note('loaded');
"""
    return page("Shuffled", "<div id=room style='margin-top:60px'></div>", script)


def late(query):
    """Says and shows something after a while, and then goes on to another page by wish."""
    after = int(query.get("after", 500))
    then = json.dumps(query.get("then", "")).replace("<", "\\u003c")
    body = "<div id=room style='margin-top:60px'>Waiting</div><p id=hidden hidden>Hidden</p>"
    script = f"""
setTimeout(() => {{
  document.getElementById('room').innerHTML =
    '<div id=late>Ready <b>now</b> <button>Go</button></div><div id=host></div>';
  document.getElementById('host').attachShadow({{mode: 'open'}}).innerHTML =
    '<p class=in-shadow>Shadow text</p>';
  history.replaceState(null, '', '/late-done?id=' + query.get('id'));
  note('late');
  if ({then}) location.href = {then};
}}, {after});
fetch('/slow?seconds=' + {after} / 1000);
"""
    return page("Late", body, script)


def ticking(_query):
    """Adds a line every 100 ms, for ever."""
    script = """
setInterval(() => {
  const made = document.createElement('p');
  made.textContent = Date.now();
  document.getElementById('room').prepend(made);
  if (document.getElementById('room').childElementCount > 20)
    document.getElementById('room').lastElementChild.remove();
}, 100);
"""
    return page("Ticking", "<div id=room></div>", script)


def parrot(_query):
    """Repeats what is typed into it in every way that a page can."""
    body = """
<form id=form action="/still" style='margin-top:60px'>
<input name=p aria-label=Field> <input name=q type=password aria-label=Password>
<input name=r aria-label=Other> <textarea name=s aria-label=Area></textarea>
<div contenteditable id=rich aria-label=Rich style="height:30px"></div>
<input type=hidden name=sent value=sent>
<button type=button id=repeat>Repeat</button> <button>Send</button></form><p id=room></p>
"""
    script = """
const all = () => [...document.querySelectorAll('input,textarea')].map((el) => el.value)
  .concat(document.getElementById('rich').innerText).join(' | ');
addEventListener('input', (e) => note('typed', e.target.value ?? e.target.innerText));
document.getElementById('repeat').onclick = () => {
  document.title = all();
  document.getElementById('room').textContent = all();
  document.getElementById('room').innerHTML += ' <button></button>';
  document.querySelector('#room button').textContent = all();
  console.log(all());
  alert(all());
  history.pushState(null, '', '?v=' + encodeURIComponent(all()));
};
note('loaded');
"""
    return page("Parrot", body, script)


def hungry(query):
    """Takes memory without end once it is clicked, until its process dies of it."""
    script = """
note('loaded');
const kept = [];
document.onclick = () => setInterval(() => kept.push(new Array(1000000).fill(Math.random())), 0);
"""
    return page("Hungry", block(query.get("colour", "cc3333")), script)


PAGES = {
    "/parrot": parrot,
    "/late": late,
    "/ticking": ticking,
    "/opener": opener,
    "/rich": rich,
    "/many": many,
    "/shuffled": shuffled,
    "/hungry": hungry,
    "/still": still,
    "/clock": clock,
    "/lines": lines,
    "/snow": snow,
    "/bouts": bouts,
    "/patches": patches,
    "/form": form,
    "/hands": hands,
    "/oddments": oddments,
    "/inner": inner,
    "/tall": tall,
    "/storm": storm,
    "/photos": photos,
    "/playing": playing,
    "/chatty": chatty,
    "/flood": flood,
    "/storage": storage,
    "/attempt": attempt,
    "/blank": lambda query: page(query.get("title", "Blank"), ""),
}
