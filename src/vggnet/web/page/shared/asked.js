/** What the server was asked, and said: the newest answers are kept, so that nothing is asked twice. */

import * as api from "../api.js";

const ANSWERS_KEPT = 60;

/** @typedef {{found: Promise<any>, stop: AbortController, wanted: number, done: boolean}} Asked */

/** @type {Map<string, Asked>} in the order in which they were asked for */
const answers = new Map();

/**
 * What the server says of a photograph; asked once, and kept while it is among the newest.
 *
 * @param {import("./photographs.js").Photograph} photograph @param {string} path @param {api.Params} [params]
 * @param {AbortSignal} [signal] as `keep` has it
 * @returns {Promise<any>} @throws {api.Problem}
 */
export function ask(photograph, path, params = {}, signal) {
  const post = async (stop) => api.post(path, params, await photograph.blob(), { signal: stop });
  return keep(`${photograph.id} ${api.address(path, params)}`, post, signal);
}

/** What does not change while the server runs. @param {string} path @param {api.Params} [params] */
export function askOnce(path, params = {}) {
  return keep(api.address(path, params), () => api.get(path, params));
}

/**
 * What `find` gives, found once. It is told to stop when all who asked have gone before it was found.
 *
 * @template T @param {string} key @param {(stop: AbortSignal) => Promise<T>} find
 * @param {AbortSignal} [signal] of who asks: aborted when he has gone; who has none stays
 * @returns {Promise<T>}
 */
export function keep(key, find, signal) {
  signal?.throwIfAborted();
  const asked = answers.get(key) ?? begin(key, find);
  asked.wanted++;
  signal?.addEventListener("abort", () => {
    asked.wanted--;
    if (asked.wanted || asked.done) return;
    forget(key, asked);
    asked.stop.abort();
  });
  return asked.found;
}

function begin(key, find) {
  const stop = new AbortController();
  const asked = { found: find(stop.signal), stop, wanted: 0, done: false };
  answers.set(key, asked);
  asked.found.then(
    () => (asked.done = true),
    () => forget(key, asked),
  );
  if (answers.size > ANSWERS_KEPT) answers.delete(answers.keys().next().value);
  return asked;
}

function forget(key, asked) {
  if (answers.get(key) === asked) answers.delete(key);
}
