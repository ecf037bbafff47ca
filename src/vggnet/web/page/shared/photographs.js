/**
 * The photographs that the page looks at: three examples to start with, and the reader's own. They
 * are kept in memory only; the address names an example and never a photograph of the reader.
 */

import * as api from "../api.js";
import { words } from "../words.js";
import { keep } from "./asked.js";
import { revokeLater } from "./blobs.js";

/**
 * @typedef {object} Photograph
 * @property {number} id @property {string} name
 * @property {string | null} example its name among the examples; null: the reader's own
 * @property {() => Promise<Blob>} blob @property {string} url for an <img>
 */

/** What is on the examples. @type {Record<string, () => string>} */
const EXAMPLES = {
  cat: () => words("a cat", "一只猫"),
  espresso: () => words("a cup of espresso", "一杯浓缩咖啡"),
  uniform: () => words("a portrait in uniform", "穿制服的肖像"),
};

/** @type {Photograph[]} */
export const photographs = Object.keys(EXAMPLES).map((example, id) => {
  const path = `examples/${example}.jpg`;
  const url = new URL(`../${path}`, import.meta.url).href;
  const blob = () => keep(path, async () => (await api.file(path)).blob());
  return { id, name: `${example}.jpg`, example, url, blob };
});

/** @type {Set<(removed?: Photograph) => void>} */
const listeners = new Set();
let next = photographs.length;

/** @param {Blob & {name?: string}} file @returns {Photograph} */
export function add(file) {
  const url = URL.createObjectURL(file);
  const bytes = new Blob([file]); // without a type: the server goes by what is in it
  const photograph = {
    id: next++, name: file.name ?? "", example: null, url, blob: async () => bytes,
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

/** @typedef {{photograph: Photograph, problem: api.Problem}} Refused */
/** @type {Refused[]} files that turned out to be no pictures, until the reader has seen that they were */
export const refused = [];

/** Take away what the network cannot be given. @param {Photograph} photograph @param {api.Problem} problem why */
export function refuse(photograph, problem) {
  if (!photographs.includes(photograph)) return;
  refused.push({ photograph, problem });
  remove(photograph);
}

/** What a photograph is called in the page's language. @param {Photograph} photograph */
export function nameOfPhotograph({ example, name }) {
  return EXAMPLES[example]?.() ?? (name || words("a photograph", "一张照片"));
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
