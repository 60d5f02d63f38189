// What to say instead of a picture, and what to do about it. Decides only; draws nothing.

const quoted = (words) => `'${words.replaceAll("'", "'\\''")}'`;

/** The command that starts a session on `room`, showing the built-in demo page. */
export function startCommand(room, withToken) {
  const body = JSON.stringify({ room_name: room, initial_url: `${location.origin}/demo` });
  return [
    `curl -X POST ${location.origin}/sessions`,
    ...(withToken ? ['  -H "Authorization: Bearer $GHOSTCAST_TOKEN"'] : []),
    "  -H 'Content-Type: application/json'",
    `  -d ${quoted(body)}`,
  ].join(' \\\n');
}

const busy = (title, text = '') => ({ tone: 'busy', title, text });
const said = (error) => [error.message, error.hint].filter(Boolean).join(' ');

const ENDED = {
  failed: 'The browser of this session was lost',
  closing: 'The session is closing',
  closed: 'The session has ended',
};

/** The notice for the present state, or null when the picture speaks for itself. */
export function noticeFor({ loaded, error, room, record, sessions, watch, hasToken }) {
  if (error?.status === 403) {
    return { tone: 'error', title: 'This token may not look here', text: said(error), action: 'token' };
  }
  if (!loaded) return error ? unreachable(error) : busy('Loading …');
  if (!room) return sessions.length ? choose() : empty('No session yet', 'demo', hasToken);
  if (!record) return empty(`No session in room “${room}”`, room, hasToken);
  if (record.state in ENDED) {
    const reason = record.state_reason ? `${record.state_reason}. ` : '';
    const next = record.state === 'closing' ? '' : 'Start a new one on this room:';
    return {
      tone: record.state === 'failed' ? 'error' : 'info',
      title: ENDED[record.state],
      text: `${reason.replace(/\.\. $/, '. ')}${next}`,
      command: next && startCommand(room, hasToken),
    };
  }
  if (record.state === 'starting') return busy('The browser is starting …', record.state_reason ?? '');
  if (record.state === 'paused') {
    return { tone: 'info', title: 'Video is paused', text: 'Actions and events go on. The picture returns when the session is resumed.' };
  }
  return watchNotice(watch);
}

function watchNotice(watch) {
  switch (watch?.state) {
    case 'playing': return null;
    case 'waiting': return busy('Connected', 'Waiting for the first picture …');
    case 'retrying': return { ...busy('Reconnecting …', said(watch.error)), action: 'retry' };
    case 'refused': return { tone: 'error', title: 'The video was refused', text: said(watch.error), action: 'retry' };
    default: return watch?.error
      ? { ...busy('Reconnecting …', said(watch.error)), action: 'retry' }
      : busy('Connecting to the video …');
  }
}

const choose = () => ({
  tone: 'info',
  title: 'Choose a room to watch',
  text: 'A browser is captured only while somebody watches it.',
});

const empty = (title, room, hasToken) => ({
  tone: 'info',
  title,
  text: 'Start one with this command. It appears here by itself.',
  command: startCommand(room, hasToken),
});

const unreachable = (error) => ({
  tone: 'error',
  title: error.status ? 'The list of sessions could not be read' : 'Ghostcast does not answer',
  text: error.status ? said(error) : 'Check that the service is running. This page tries again every two seconds.',
});
