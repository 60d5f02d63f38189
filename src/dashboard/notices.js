// What to say instead of a picture, and what to do about it. Decides only; draws nothing.

import { sentence, since } from './format.js';

const ENDED = {
  failed: 'The browser of this session was lost',
  closing: 'The session is closing',
  closed: 'The session has ended',
};

/** What the button of a notice says. */
export const ACTIONS = {
  token: 'Enter a token', retry: 'Try again now', start: 'Start a session', again: 'Start it again',
};

/** The notice for the present state, or null when the picture speaks for itself. */
export function noticeFor({
  loaded,
  error,
  room,
  record,
  sessions,
  ended,
  watch,
  hasToken,
  shared,
}) {
  const info = (title, text, extra) => ({ tone: 'info', title, text, ...extra });
  const wrong = (title, text, extra) => ({ tone: 'error', title, text, ...extra });
  const busy = (title, text = '', extra = {}) => ({ tone: 'busy', title, text, ...extra });
  const start = (title) => info(title, 'Start one here, or with this command. It appears by itself.', {
    command: startCommand(room ?? 'demo', hasToken), action: 'start',
  });

  if (shared && (error?.status === 401 || (loaded && !record))) {
    return info('This link has ended', 'The session is closed, or the time of the link is over.');
  }
  if (error?.status === 401) return wrong('A token is needed', error.message, { action: 'token' });
  if (error?.status === 403) return wrong('This token may not look here', error.message, { action: 'token' });
  if (!loaded && error?.status) return wrong('The sessions could not be read', error.message);
  if (!loaded && error) {
    return wrong('Ghostcast does not answer', 'Check that the service is running. This page keeps trying.');
  }
  if (!loaded) return busy('Loading …');
  if (!room && !sessions.length) return start('No session yet');
  if (!room) return info('Choose a room to watch', 'A browser is captured only while somebody watches it.');
  if (!record) return before(room, ended, start);

  const reason = record.state_reason ?? '';
  if (record.state === 'starting') return busy('The browser is starting …', reason);
  if (record.state === 'closing') return busy(ENDED.closing, reason);
  if (record.state === 'paused') {
    return info('Video is paused', 'Actions and events go on. The picture returns when the session is resumed.');
  }
  if (record.state in ENDED) {
    const tone = record.state === 'failed' ? wrong : info;
    if (shared) return tone(ENDED[record.state], reason);
    const action = record.state === 'failed' ? 'again' : undefined;
    const text = [reason && sentence(reason), action ? 'The button starts it again, and so does this command.' : 'This command starts another one.'].filter(Boolean).join('\n');
    return tone(ENDED[record.state], text, { command: startCommand(room, hasToken, record), action });
  }
  if (record.state === 'stored') {
    if (shared) return info('This session rests', 'It has no browser until somebody uses it.');
    const command = startCommand(room, hasToken, record);
    return info('This session is stored', 'It has no browser until it is used. The button brings it back, and so does this command.', { command, action: 'again' });
  }

  if (watch?.state === 'playing') return null;
  if (watch?.state === 'waiting') return busy('Connected', 'Waiting for the first picture …');
  if (watch?.state === 'refused') return wrong('The video was refused', watch.error.message, { action: 'retry' });
  if (watch?.error) return busy('Reconnecting …', watch.error.message, { action: 'retry' });
  return busy('Connecting to the video …');
}

/** There is no session: what is known of the last one is said as well. */
function before(room, ended, start) {
  const last = ended.find(({ key, session_name: name }) => key === room || name === room);
  if (!last) return start(`No session in room “${room}”`);
  const notice = start(`The session in “${room}” ended ${since(last.ended_at)} ago`);
  return { ...notice, text: `${sentence(last.detail)}\n${notice.text}` };
}

/** The command that starts a session on `room`, or one with a name again. */
function startCommand(room, withToken, record) {
  const name = record?.session_name;
  const url = /^https?:/.test(record?.current_url ?? '') ? record.current_url : 'https://example.com';
  const body = JSON.stringify(name ? { session_name: name } : { room_name: room, initial_url: url });
  return [
    `curl -X POST ${location.origin}/sessions`,
    ...(withToken ? ['  -H "Authorization: Bearer $GHOSTCAST_TOKEN"'] : []),
    "  -H 'Content-Type: application/json'",
    `  -d '${body.replaceAll("'", "'\\''")}'`,
  ].join(' \\\n');
}
