/** What the server was asked, and said: the newest answers are kept, so that nothing is asked twice. */

import * as api from "../api.js";
import { words } from "../words.js";

const ANSWERS_KEPT = 60;
const TRIES = 5;
const BUSY = 1000; // milliseconds from a try to the next, as the server asks for

/** @type {Map<string, Promise<any>>} in the order in which they were asked for */
const answers = new Map();

/**
 * What the server says of a photograph; asked once, and kept while it is among the newest.
 *
 * @param {import("./photographs.js").Photograph} photograph @param {string} path @param {import("../api.js").Params} [params]
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

/** Whether the network could be given the photograph. @param {import("./photographs.js").Photograph} photograph */
export async function isReadable(photograph) {
  try {
    const [found] = await ask(photograph, "predict", { top: 5 });
    return !found.error;
  } catch {
    return false;
  }
}

/** The view that the network is given, as an address for <img>. @param {import("./photographs.js").Photograph} photograph @param {number | null} size */
export function view(photograph, size) {
  return keep(`${photograph.id} view ${size}`, async () =>
    URL.createObjectURL(await api.postForBlob("view", { size }, await photograph.blob())),
  );
}

/** What does not change while the server runs. @param {string} path @param {import("../api.js").Params} [params] */
export function askOnce(path, params = {}) {
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

/**
 * A file of the page, such as "evidence.json".
 *
 * @param {string} path @returns {Promise<Response>} @throws {import("../api.js").Problem}
 */
export async function file(path) {
  const found = await fetch(new URL(`../${path}`, import.meta.url)).catch(() => null);
  if (found?.ok) return found;
  throw new api.Problem({
    detail: words(`The server did not give ${path}; load the page again.`, `服务器没有给出 ${path}，请重新载入页面。`),
  });
}
