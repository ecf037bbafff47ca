/** What the network says of a photograph, if it could be given it at all. */

import * as api from "../api.js";
import { ask } from "./asked.js";
import { refuse } from "./photographs.js";

/** What the server calls the faults of a picture itself; others may be over in a moment. */
const OF_PICTURES = ["picture", "picture-format", "picture-pixels", "body-too-long"];

/**
 * The first five answers, and how they came about. A photograph of the reader's own that is no
 * picture is taken away, so that it is asked about once.
 *
 * @param {import("./photographs.js").Photograph} photograph
 * @returns {Promise<any>} @throws {api.Problem} also where the photograph cannot be read
 */
export async function predicted(photograph) {
  try {
    const { size } = await photograph.blob();
    if (!size) throw new api.Problem({ detail: "the file is empty", code: "picture" });
    return (await ask(photograph, "predict", { top: 5 }))[0];
  } catch (problem) {
    const own = photograph.example === null;
    if (own && OF_PICTURES.includes(problem.told?.code)) refuse(photograph, problem);
    throw problem;
  }
}

/** Whether the network could be given the photograph, as far as is known. @param {import("./photographs.js").Photograph} photograph */
export function isReadable(photograph) {
  return predicted(photograph).then(() => true, (problem) => !OF_PICTURES.includes(problem.told?.code));
}
