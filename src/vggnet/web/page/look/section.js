import { element } from "../elements.js";

/** A part's heading and the place that it fills. @param {string} title @param {...Node} more */
export function section(title, ...more) {
  return element("section", { class: "look-part" }, element("h2", {}, title), ...more);
}
