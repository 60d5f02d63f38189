// Numbers and times as people read them.

const integer = new Intl.NumberFormat('en');
const known = (value) => Number.isFinite(value);

export const NONE = '–';

export const count = (value) => (known(value) ? integer.format(value) : NONE);

export const fps = (value) => (known(value) ? value.toFixed(value < 9.95 ? 1 : 0) : NONE);

export const milliseconds = (value) => (known(value) ? `${Math.round(value)} ms` : NONE);

export function bitrate(bps) {
  if (!known(bps)) return NONE;
  if (bps >= 1e6) return `${(bps / 1e6).toFixed(2)} Mbit/s`;
  return `${Math.round(bps / 1e3)} kbit/s`;
}

export const size = (width, height) => (width && height ? `${width} × ${height}` : NONE);

export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

export function duration(milliseconds_) {
  const seconds = Math.max(0, Math.floor(milliseconds_ / 1000));
  if (!known(seconds)) return NONE;
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

/** Wall-clock time of an event, to the millisecond. */
export function clock(unixSeconds) {
  const at = new Date(unixSeconds * 1000);
  const two = (value) => String(value).padStart(2, '0');
  const fraction = String(at.getMilliseconds()).padStart(3, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${fraction}`;
}

export function shorten(words, most) {
  const line = String(words).replace(/\s+/g, ' ').trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}
