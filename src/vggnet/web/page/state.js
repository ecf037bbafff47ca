/**
 * The state of every control, as strings, in the query of the page's address: a link shows what was
 * seen.
 *
 * Keys bear their tab: "network.config". A control that stands as it does at first has no key, so
 * that addresses stay short. Going to another tab and choosing are steps of the browser's history,
 * and so is what is typed into a field, or done with the arrow keys in a map, from entering it to
 * leaving it; moving a slider or over a figure is none, nor is what is guessed and tried in Learn, which has its own way back. The language
 * and the theme are the reader's: "back" leaves them.
 */

/** @typedef {(key: string | null) => void} Listener `null`: anything may have changed. */

const WRITE_AFTER = 150; // milliseconds; browsers refuse an address that changes too often

const READERS = ["language", "theme"];

/** @type {Set<Listener>} */
const listeners = new Set();
let values = new URLSearchParams(location.search);
/** The query of the address, as it was written or gone to last. */
let query = location.search;
let waiting = 0;
/** The key whose typing is the newest step of the history, while that goes on. @type {string | null} */
let typed = null;

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

/** @param {string} key @param {string | number | null | undefined} value none removes it */
export function set(key, value) {
  if (!put({ [key]: value }).length) return;
  waiting ||= setTimeout(write, WRITE_AFTER);
  listeners.forEach((each) => each(key));
}

/**
 * Set one key or several at once, as a step that "back" undoes.
 *
 * @param {Record<string, string | number | null | undefined>} changes
 * @returns {boolean} whether there was anything to change
 */
export function go(changes) {
  write();
  const changed = put(changes);
  if (!changed.length) return false;
  typed = null;
  // The place in the page that a link led to is one of the tab that is left.
  history.pushState(null, "", address(changed.includes("tab") ? "" : location.hash));
  query = location.search;
  changed.forEach((key) => listeners.forEach((each) => each(key)));
  return true;
}

/** What `go` takes to leave each key that begins so without a value. @param {string} beginning */
export function none(beginning) {
  const keys = [...values.keys()].filter((key) => key.startsWith(beginning));
  return Object.fromEntries(keys.map((key) => [key, null]));
}

/** Set what is being typed: a step at first, then the same one until `settle`. */
export function type(key, value) {
  if (typed === key) set(key, value);
  else if (go({ [key]: value })) typed = key;
}

/** What is typed next is another step. */
export function settle() {
  typed = null;
}

/** @param {Listener} listener @returns {() => void} which ends it */
export function onChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** @returns {string[]} the keys whose values are others now */
function put(changes) {
  return Object.entries(changes).flatMap(([key, value]) => {
    const before = values.get(key);
    if (value === null || value === undefined) values.delete(key);
    else values.set(key, String(value));
    return values.get(key) === before ? [] : [key];
  });
}

function write() {
  clearTimeout(waiting);
  waiting = 0;
  history.replaceState(null, "", address(location.hash));
  query = location.search;
}

function address(hash) {
  const asked = values.toString();
  return `${location.pathname}${asked ? `?${asked}` : ""}${hash}`;
}

addEventListener("popstate", () => {
  if (location.search === query) return; // a link within the page, or back from it
  settle();
  const before = values;
  values = new URLSearchParams(location.search);
  put(Object.fromEntries(READERS.map((key) => [key, before.get(key)])));
  write();
  listeners.forEach((each) => each(null));
});
