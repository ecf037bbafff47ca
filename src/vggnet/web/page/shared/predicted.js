/** What the network says of a photograph, if it could be given it at all. */

import * as api from "../api.js";
import { ask } from "./asked.js";

/**
 * The first five answers, and how they came about.
 *
 * @param {import("./photographs.js").Photograph} photograph
 * @returns {Promise<any>} @throws {api.Problem} also where the photograph cannot be read
 */
export async function predicted(photograph) {
  const [found] = await ask(photograph, "predict", { top: 5 });
  if (found.error) throw new api.Problem({ detail: found.error });
  return found;
}

/** Whether the network could be given the photograph. @param {import("./photographs.js").Photograph} photograph */
export function isReadable(photograph) {
  return predicted(photograph).then(() => true, () => false);
}
