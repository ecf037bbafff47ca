/**
 * What the network is given of a photograph at some size: a small picture, to show, and to send in
 * the photograph's place, which may have megabytes.
 */

import * as api from "../api.js";
import { keep } from "./asked.js";
import { revokeLater } from "./blobs.js";
import { onPhotographs } from "./photographs.js";

export const SIDE = 224; // pixels of the views, where the network takes any size

/** @typedef {import("./photographs.js").Photograph} Photograph */
/** @typedef {{blob: Blob, url: string}} View `url` is for an <img> */

/** @type {Map<Photograph, Map<number | null, Promise<View>>>} kept as long as the photograph is */
const views = new Map();

/** @param {Photograph} photograph @param {number | null} size pixels a side; null: the network's own */
export function view(photograph, size) {
  const own = views.get(photograph) ?? new Map();
  views.set(photograph, own);
  if (!own.has(size)) {
    const found = viewed(photograph, size);
    own.set(size, found);
    found.catch(() => own.delete(size));
  }
  return own.get(size);
}

/**
 * What the server says of a view. Parameters and the rest are as `ask` has them.
 *
 * @param {Photograph} photograph @param {number | null} size
 * @param {string} path @param {api.Params} params @param {AbortSignal} [signal]
 */
export function askOfView(photograph, size, path, params, signal) {
  const all = { ...params, size, viewed: true };
  return keep(
    `${photograph.id} ${api.address(path, all)}`,
    async (stop) => api.post(path, all, (await view(photograph, size)).blob, { signal: stop }),
    signal,
  );
}

async function viewed(photograph, size) {
  const blob = await api.postForBlob("view", { size }, await photograph.blob());
  return { blob, url: URL.createObjectURL(blob) };
}

onPhotographs((removed) => {
  views.get(removed)?.forEach((each) => each.then(({ url }) => revokeLater(url), () => {}));
  views.delete(removed);
});
