/**
 * The photographs that the page looks at: three examples to start with, and the reader's own. They
 * are kept in memory only; the address names an example and never a photograph of the reader.
 */

import { file } from "./asked.js";
import { revokeLater } from "./blobs.js";

/**
 * @typedef {object} Photograph
 * @property {number} id @property {string} name
 * @property {string | null} example its name among the examples; null: the reader's own
 * @property {() => Promise<Blob>} blob @property {string} url for an <img>
 */

const EXAMPLES = ["cat", "espresso", "uniform"];

/** @type {Photograph[]} */
export const photographs = EXAMPLES.map((name, id) => {
  const url = new URL(`../examples/${name}.jpg`, import.meta.url).href;
  const blob = once(async () => (await file(`examples/${name}.jpg`)).blob());
  return { id, name: `${name}.jpg`, example: name, url, blob };
});

/** @type {Set<(removed?: Photograph) => void>} */
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
  revokeLater(photograph.url);
  listeners.forEach((each) => each(photograph));
}

/** The newest of the reader's own, or else the example of that name. @param {string} example */
export function ownOr(example) {
  return (
    photographs.findLast((each) => each.example === null) ??
    photographs.find((each) => each.example === example)
  );
}

/** @param {(removed?: Photograph) => void} listener is called after one was added or removed */
export function onPhotographs(listener) {
  listeners.add(listener);
}

function once(find) {
  let found;
  return () => {
    found ??= find();
    found.catch(() => (found = undefined));
    return found;
  };
}
