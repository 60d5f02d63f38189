// The page of a person who comes by a link: who drives, the picture, and the wheel.

import * as api from './api.js';
import { $, setText } from './dom.js';
import { Hands } from './hands.js';
import { Offers } from './offers.js';
import { Way } from './way.js';
import { Watch } from './whep.js';

const KEPT_KEY = 'ghostcast.takeover';
const RETRY_MS = [300, 700, 1_500, 3_000];
/** The page may take so long to say what it has copied. */
const COPIED_MS = 2_000;
/** The shorter side of a phone's screen, CSS px, at most. */
const PHONE_PX = 600;
const OWNERS = { agent: 'The agent drives', nobody: 'Nobody drives' };

const link = location.pathname.split('/').pop();
let session = null;
let state = null;
let socket = null;
let tries = 0;
let seat = null;
/** The token to go on with. */
let own = link;
let isThrough = false;
/** What has come of somebody's Done, as it was told last. */
let outcome = null;
let isOver = false;
let hands = null;
let watch = null;
let offers = null;
/** Takes what the page has copied. */
let copied = null;
const way = new Way((name) => { $('screen').dataset.way = name; });
/** Says it, if there is anybody who hears it. */
const say = (message) => way.say(message);

const kept = () => {
  try { return JSON.parse(sessionStorage.getItem(KEPT_KEY) ?? 'null'); } catch { return null; }
};
const keep = () => {
  try { sessionStorage.setItem(KEPT_KEY, JSON.stringify({ link, own, seat })); } catch { /* lasts until reload */ }
};

/** Enters by the link; one that is good once has been entered by this tab already when it is loaded again. */
async function enter() {
  const known = kept();
  if (known?.link === link) {
    seat = known.seat;
    const entered = await api.enter(known.own).catch(() => null);
    if (entered) return entered;
  }
  return api.enter(link, theirScreen());
}

/** What a person sees the page on who comes anew: a login's is shown at a phone's size on one. */
function theirScreen() {
  const { clientWidth: width, clientHeight: height } = $('screen');
  const phone = matchMedia('(pointer: coarse)').matches && Math.min(screen.width, screen.height) <= PHONE_PX;
  return { width, height, phone };
}

async function begin() {
  try {
    const entered = await enter();
    session = entered.session;
    own = entered.token;
    api.useToken(own);
    keep();
  } catch (error) {
    return end('This link is not good', error.message);
  }
  hands = new Hands($('video'), $('keys'), say);
  offers = new Offers(say, hands, (number, files) => api.giveFiles(session.session_id, { seat, number, files }));
  addEventListener('pagehide', () => watch?.stop());
  connect();
}

function connect() {
  socket = new WebSocket(api.driveUrl(session.session_id, seat), api.driveProtocols());
  socket.onmessage = ({ data }) => hear(JSON.parse(data));
  socket.onclose = ({ code, reason }) => {
    way.use(null);
    state = null;
    draw();
    if (isOver) return;
    if (code === 1008) return over('You were sent away', 'The link is good no more.');
    if (code === 1001) setText($('error'), reason);
    const pause = RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)];
    setTimeout(reconnect, pause);
  };
}

/** Whoever may not come back is told why, and does not ask for ever. */
async function reconnect() {
  try {
    await api.enter(own);
  } catch (error) {
    if (error.final) return over('The session is over', error.message);
    setText($('error'), error.message);
  }
  connect();
}

/** The end; whoever is through is thanked. */
const over = (title, text) => (isThrough ? end('Thank you', 'You can close this page.') : end(title, text));

function hear(told) {
  if (told.type === 'heard') {
    way.heard(told.n);
    return;
  }
  if (told.type === 'copied') {
    copied?.(told.text);
    return;
  }
  if (told.type === 'error') {
    setText($('error'), told.message);
    return;
  }
  tries = 0;
  const had = state?.yours;
  if (!state) way.use(socket, told.yours);
  state = told;
  if (seat !== told.seat) {
    seat = told.seat;
    keep();
  }
  if (!watch) watch = new Watch(session.session_id, $('video'), drawPicture, seat, (channel) => way.useChannel(channel));
  else if (watch.seat !== seat) {
    watch.seat = seat;
    watch.connect();
  }
  if (!had && told.yours) {
    isThrough = false;
    setText($('error'), '');
    hands.focus();
  }
  draw();
  hearOutcome(told.outcome);
}

/** What has come of Done here: what is as it should be ends the page, what is not gives the wheel back. */
function hearOutcome(told) {
  if (JSON.stringify(told) === JSON.stringify(outcome)) return;
  outcome = told;
  if (!isThrough || !told) return;
  if (told.state === 'good') end(told.message, 'You can close this page.', 'good');
  else if (told.state === 'bad') say({ type: 'take' });
}

function end(title, text, tone = 'bad') {
  isOver = true;
  watch?.stop();
  socket?.close();
  state = null;
  draw();
  notice(title, text, tone);
}

function draw() {
  const yours = Boolean(state?.yours);
  const control = state?.control;
  document.body.dataset.yours = yours;
  hands?.set(yours, state?.viewport ?? { width: 1280, height: 720 });
  const how = control?.private ? ' privately' : '';
  const whose = control?.owner === 'human' ? `${control.who} drives${how}` : OWNERS[control?.owner];
  setText($('who'), !state ? (isOver ? 'Over' : 'Connecting …') : yours ? `You drive${how}` : whose);
  $('who').title = yours && how ? 'Nobody else sees the page until you give it back' : '';
  $('who').dataset.state = !state ? 'starting' : yours ? 'live' : 'paused';
  setText($('title'), state?.title ?? '');
  setText($('url'), state?.url ?? '');
  const isOthers = control?.owner === 'human' && !yours;
  $('take').hidden = !state || yours || !state.may_drive || isOthers;
  $('ask').hidden = !state || yours || (state.may_drive && !isOthers);
  $('done').hidden = !yours;
  $('not-now').hidden = !yours;
  $('bar').hidden = !yours;
  const reason = control?.request?.reason;
  $('reason').hidden = !reason;
  setText($('reason'), reason ? `The agent asks: ${reason}` : '');
  $('outcome').hidden = !state?.outcome;
  setText($('outcome'), state?.outcome?.message ?? '');
  const first = yours ? control.asking[0] : undefined;
  $('asking').hidden = first === undefined;
  setText($('asking-words'), first === undefined ? '' : `${first} asks for the wheel.`);
  drawDialog(yours ? state.dialog : null);
  offers?.draw(yours ? state.offer : null);
}

function drawDialog(dialog) {
  const box = $('dialog');
  if (!dialog) return box.open && box.close();
  setText($('dialog-text'), dialog.type === 'beforeunload' ? 'Leave this page? What was entered may be lost.' : dialog.message);
  const isPrompt = dialog.type === 'prompt';
  $('dialog-cancel').hidden = dialog.type === 'alert';
  if (box.open) return undefined;
  $('dialog-field').hidden = !isPrompt;
  $('dialog-field').value = dialog.default_value ?? '';
  return box.showModal();
}

function answerDialog(accept) {
  const text = accept && !$('dialog-field').hidden ? $('dialog-field').value : null;
  if (state?.dialog) say({ type: 'dialog', number: state.dialog.number, accept, text });
  $('dialog').close();
  hands.focus();
}

function drawPicture() {
  if (!watch) return;
  const isPlaying = watch.state === 'playing';
  $('screen').dataset.picture = isPlaying;
  if (isOver) return;
  if (watch.state === 'refused') notice('No picture', watch.error?.message ?? '', 'bad');
  else notice('Waiting for the picture …', watch.error?.message ?? '', 'busy');
}

function notice(title, text, tone) {
  $('notice').dataset.tone = tone;
  if (tone !== 'busy') $('screen').dataset.picture = false;
  setText($('notice-title'), title);
  setText($('notice-text'), text);
}

$('take').onclick = () => say({ type: 'take' });
$('ask').onclick = () => say({ type: 'ask' });
for (const [id, done] of [['done', true], ['not-now', false]]) {
  $(id).onclick = () => { isThrough = true; say({ type: 'hand_back', done }); };
}
$('grant').onclick = () => say({ type: 'grant', name: state.control.asking[0] });
$('go-back').onclick = () => say({ type: 'back' });
$('reload').onclick = () => say({ type: 'reload' });
$('keyboard').onclick = () => hands.focus();
$('enlarge').onclick = () => {
  const isHere = $('enlarge').getAttribute('aria-pressed') !== 'true';
  $('enlarge').setAttribute('aria-pressed', isHere);
  hands.enlarges = isHere;
};
$('copy').onclick = async () => {
  const text = new Promise((done, failed) => {
    copied = (what) => (what ? done(what) : failed(new Error('Nothing is selected on the page.')));
    setTimeout(() => failed(new Error('The page has copied nothing.')), COPIED_MS);
  });
  say({ type: 'copy' });
  try {
    // Begun at the press: a browser lets a page write its clipboard for a press only.
    const blob = text.then((words) => new Blob([words], { type: 'text/plain' }));
    await navigator.clipboard.write([new ClipboardItem({ 'text/plain': blob })]);
    setText($('error'), '');
  } catch (error) {
    const isOurs = await text.then(() => false, () => true);
    setText($('error'), isOurs ? (await text.catch(({ message }) => message)) : `This browser lets no button copy here: ${error.message}`);
  }
  hands.focus();
};
$('paste').onclick = async () => {
  try {
    const text = await navigator.clipboard.readText();
    if (text) hands.text(text);
    hands.focus();
  } catch {
    setText($('error'), 'This browser lets no button paste here: press Ctrl+V, or ⌘V, in the picture.');
  }
};
$('dialog-form').onsubmit = (event) => { event.preventDefault(); answerDialog(true); };
$('dialog-cancel').onclick = () => answerDialog(false);
$('dialog').oncancel = (event) => { event.preventDefault(); answerDialog(false); };

begin();
