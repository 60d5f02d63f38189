// Who drives a room's session, and the way to its wheel.

import * as api from './api.js';
import { $, setText } from './dom.js';

const WORDS = {
  agent: 'The agent drives', nobody: 'A person is asked for', human: 'drives',
};

/** The room whose answer is awaited, and what went wrong in which room. */
let asking = null;
let refused = { room: null, words: '' };

export function renderWheel(record) {
  const control = record?.control;
  const isGone = ['failed', 'stored'].includes(record?.state);
  const words = isGone ? '' : control?.owner === 'human' ? `${control.who} ${WORDS.human}${control.private ? ' privately' : ''}` : WORDS[control?.owner] ?? '';
  setText($('driver'), words);
  $('driver').hidden = !words;
  $('driver').title = control?.request?.reason ?? 'Nothing you do here reaches the page';
  const reason = control?.request?.reason;
  $('wheel-request').hidden = !reason;
  setText($('wheel-request'), reason ? `The agent asks for a person: ${reason}` : '');
  $('driver').dataset.owner = control?.owner ?? '';
  const button = $('take-wheel');
  button.hidden = api.isShared();
  button.classList.toggle('primary', Boolean(reason));
  button.disabled = !record || asking === record.key || isGone;
  setText($('wheel-error'), record && refused.room === record.key ? refused.words : '');
}

/** Opens the page of a person who drives, by a link of its own that is good once. */
export async function takeWheel(record) {
  if (!record || asking) return;
  const room = record.key;
  // Opened at once: a browser lets a page open another one for a press only.
  const page = window.open('', '_blank');
  asking = room;
  refused = { room, words: '' };
  try {
    const { url } = await api.takeover(room);
    if (page) {
      page.opener = null;
      page.location = url;
    } else refused = { room, words: 'This browser did not let the page of the wheel open.' };
  } catch (error) {
    page?.close();
    refused = { room, words: error.message };
  }
  asking = null;
  renderWheel(record);
}
