/**
 * The photographs that the page looks at: three examples to start with, and the reader's own. They
 * are kept in memory only; the address names an example and never a photograph of the reader.
 */

import * as api from "../api.js";

/**
 * @typedef {object} Photograph
 * @property {number} id @property {string} name
 * @property {string | null} example its name among the examples; null: the reader's own
 * @property {() => Promise<Blob>} blob @property {string} url for an <img>
 */

const EXAMPLES = ["cat", "espresso", "uniform"];
const ANSWERS_KEPT = 60;
const TRIES = 5;
const BUSY = 1000; // milliseconds from a try to the next, as the server asks for

/** @type {Photograph[]} */
export const photographs = EXAMPLES.map((name, id) => {
  const url = new URL(`../examples/${name}.jpg`, import.meta.url).href;
  return { id, name: `${name}.jpg`, example: name, url, blob: once(() => fetch(url).then((found) => found.blob())) };
});

/** @type {Set<() => void>} */
const listeners = new Set();
let next = EXAMPLES.length;

/** @param {Blob & {name?: string}} file @returns {Photograph} */
export function add(file) {
  const url = URL.createObjectURL(file);
  const photograph = {
    id: next++, name: file.name ?? "", example: null, url, blob: async () => file,
  };
  photographs.push(photograph);
  listeners.forEach((each) => each());
  return photograph;
}

/** @param {Photograph} photograph one of the reader's own */
export function remove(photograph) {
  photographs.splice(photographs.indexOf(photograph), 1);
  URL.revokeObjectURL(photograph.url);
  listeners.forEach((each) => each());
}

/** The newest of the reader's own, or else the example of that name. @param {string} example */
export function ownOr(example) {
  return (
    photographs.findLast((each) => each.example === null) ??
    photographs.find((each) => each.example === example)
  );
}

/** @param {() => void} listener */
export function onPhotographs(listener) {
  listeners.add(listener);
}

/** @type {Map<string, Promise<any>>} in the order in which they were asked for */
const answers = new Map();

/**
 * What the server says of a photograph; asked once, and kept while it is among the newest.
 *
 * @param {Photograph} photograph @param {string} path @param {import("../api.js").Params} [params]
 * @returns {Promise<any>} @throws {import("../api.js").Problem}
 */
export function ask(photograph, path, params = {}) {
  return keep(`${photograph.id} ${api.address(path, params)}`, async () => {
    const body = await photograph.blob();
    return patiently(() => api.post(path, params, body));
  });
}

/**
 * Ask again where the server is too busy: this page alone asks for much at once.
 *
 * @template T @param {() => Promise<T>} call @returns {Promise<T>} @throws {import("../api.js").Problem}
 */
export async function patiently(call) {
  for (let tries = 1; ; tries++) {
    try {
      return await call();
    } catch (problem) {
      if (problem.status !== 503 || tries === TRIES) throw problem;
      await new Promise((go) => setTimeout(go, BUSY));
    }
  }
}

/** Whether the network could be given the photograph. @param {Photograph} photograph */
export async function isReadable(photograph) {
  try {
    const [found] = await ask(photograph, "predict", { top: 5 });
    return !found.error;
  } catch {
    return false;
  }
}

/** The view that the network is given, as an address for <img>. @param {Photograph} photograph @param {number | null} size */
export function view(photograph, size) {
  return keep(`${photograph.id} view ${size}`, async () =>
    URL.createObjectURL(await api.postForBlob("view", { size }, await photograph.blob())),
  );
}

/** What holds for the loaded model. @param {string} path @param {import("../api.js").Params} [params] */
export function askModel(path, params = {}) {
  return keep(api.address(path, params), () => api.get(path, params));
}

/** @template T @param {string} key @param {() => Promise<T>} find @returns {Promise<T>} */
export function keep(key, find) {
  const known = answers.get(key);
  if (known) return known;
  const found = find();
  answers.set(key, found);
  found.catch(() => answers.delete(key));
  if (answers.size > ANSWERS_KEPT) answers.delete(answers.keys().next().value);
  return found;
}

function once(find) {
  let found;
  return () => {
    found ??= find();
    found.catch(() => (found = undefined));
    return found;
  };
}
