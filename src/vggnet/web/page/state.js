/**
 * The state of every control, as strings, in the query of the page's address: a link shows what was
 * seen.
 *
 * Keys bear their tab: "network.config". A control that stands as it does at first has no key, so
 * that addresses stay short. Going to another tab is a step of the browser's history; moving a
 * slider is not.
 */

/** @typedef {(key: string | null) => void} Listener `null`: anything may have changed. */

const WRITE_AFTER = 150; // milliseconds; browsers refuse an address that changes too often

/** @type {Set<Listener>} */
const listeners = new Set();
let values = new URLSearchParams(location.search);
let waiting = 0;

/** @param {string} key @returns {string | null} */
export function get(key) {
  return values.get(key);
}

/**
 * The whole number that a key holds; `initial` where it has none, or one out of range: whoever wrote
 * the address may have written anything.
 *
 * @param {string} key @param {{least?: number, most: number, initial?: number | null}} range
 */
export function whole(key, { least = 0, most, initial = 0 }) {
  const text = get(key) ?? "";
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  return value >= least && value <= most ? value : initial;
}

/** @param {string} key @param {string | number | null | undefined} value none or "" removes it */
export function set(key, value) {
  const before = values.get(key);
  put(key, value);
  if (values.get(key) === before) return;
  waiting ||= setTimeout(write, WRITE_AFTER);
  listeners.forEach((each) => each(key));
}

/**
 * Set several at once, as a step that "back" undoes.
 *
 * @param {Record<string, string | number | null | undefined>} changes
 */
export function go(changes) {
  write();
  const before = address();
  Object.entries(changes).forEach(([key, value]) => put(key, value));
  if (address() === before) return;
  history.pushState(null, "", address());
  listeners.forEach((each) => each(null));
}

/** @param {Listener} listener @returns {() => void} which ends it */
export function onChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function put(key, value) {
  if (value === null || value === undefined || value === "") values.delete(key);
  else values.set(key, String(value));
}

function write() {
  clearTimeout(waiting);
  waiting = 0;
  history.replaceState(null, "", address());
}

function address() {
  const query = values.toString();
  return `${location.pathname}${query ? `?${query}` : ""}${location.hash}`;
}

addEventListener("popstate", () => {
  values = new URLSearchParams(location.search);
  listeners.forEach((each) => each(null));
});
