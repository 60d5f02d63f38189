// Numbers and times as people read them.

const NONE = '–';
const integer = new Intl.NumberFormat('en');
const time = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3,
});
const seconds = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const moment = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
const when = (value, words) => (Number.isFinite(value) ? words(value) : NONE);

export const count = (value) => when(value, integer.format);
export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? '' : 's'}`;
export const fps = (value) => when(value, (rate) => rate.toFixed(rate < 9.95 ? 1 : 0));
export const megabits = (bps) => when(bps, () => (bps / 1e6).toFixed(2));
export const ms = (value) => when(value, () => (value < 1 ? '< 1 ms' : `${Math.round(value)} ms`));
export const size = (width, height) => (width && height ? `${width} × ${height}` : NONE);

/** How long since an ISO time, in its largest unit. */
export const since = (iso) => when(Date.parse(iso), (start) => {
  const seconds = Math.max(0, Math.round((Date.now() - start) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} days`;
});

/** How long until then, of a number of days. */
export const days = (left) => when(left, () => {
  if (left <= 0) return 'at the next look';
  if (left < 1) return `in ${Math.max(1, Math.round(left * 24))} h`;
  return `in ${plural(Math.round(left), 'day')}`;
});

/** The moment of an ISO time, here. */
export const at = (iso) => when(Date.parse(iso), moment.format);

/** The wall clock, to the second. */
export const atClock = (unixMs) => seconds.format(unixMs);

export const bytes = (value) => when(value, () => {
  if (value < 1000) return plural(value, 'byte');
  const [unit, name] = value < 1e6 ? [1e3, 'kB'] : value < 1e9 ? [1e6, 'MB'] : [1e9, 'GB'];
  return `${(value / unit).toFixed(value / unit < 9.95 ? 1 : 0)} ${name}`;
});

/** Minutes and seconds of a film: 1:05. */
export const duration = (seconds) => when(seconds, (length) => {
  const whole = Math.floor(length);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
});

/** The wall clock at an event, to the millisecond. */
export const clock = (unixSeconds) => time.format(unixSeconds * 1000);

/** How a session stands, in words and by what they look like: a browser that runs shows no page by that. */
export function standing({ state, page_error: failed, http_status: status, is_opening: isOpening }, isStale = false) {
  if (isStale) return [`was ${state}`, ''];
  if (state !== 'live') return [state, state];
  if (failed) return ['page failed', 'failed'];
  if (status >= 400) return [`HTTP ${status}`, 'failed'];
  return isOpening ? ['opening', 'starting'] : [state, state];
}

/** A time as it stands in the name of a file. */
export const stamp = (date) => date.toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');

/** Words of the service's as a sentence. */
export const sentence = (words) => `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? '' : '.'}`;

export function shorten(words, most) {
  const line = String(words).replace(/\s+/g, ' ').trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}
