/** Which layer, channel and unit are looked at, as the address says, or what is shown at first. */

import { bytesOf } from "../shared/matrices.js";
import * as state from "../state.js";

const FIRST = "conv3_3";
export const PER_PAGE = 32; // maps

/** The layers with maps over the photograph. @param {any} model what /api/model says */
export function layersOf(model) {
  return model.layers.filter(({ type }) => type === "conv" || type === "maxpool");
}

/**
 * `shown` is the layer whose maps are shown: that after the ReLU, unless the reader wants the one
 * before; `relu` is null where none follows.
 *
 * @param {import("./look.js").Look} look
 */
export function chosen({ model }) {
  const layers = layersOf(model);
  const layer =
    layers.find((each) => each.name === state.get("look.layer")) ??
    layers.find((each) => each.name === FIRST) ??
    layers[Math.floor(layers.length / 2)];
  const next = model.layers[model.layers.findIndex((each) => each.name === layer.name) + 1];
  const relu = layer.type === "conv" && next?.type === "relu" ? next.name : null;
  const channel = state.whole("look.channel", { most: layer.channels - 1 });
  const pages = Math.ceil(layer.channels / PER_PAGE);
  return {
    layer,
    relu,
    shown: relu && state.get("look.relu") !== "before" ? relu : layer.name,
    channel,
    page: state.whole("look.page", { most: pages - 1, initial: Math.floor(channel / PER_PAGE) }),
    pages,
  };
}

/** The unit of the address, where the map has it; else that at which the map is largest. @param {import("../shared/matrices.js").Matrix} map */
export function chosenUnit({ height, width, data }) {
  const [row, column] = (state.get("look.unit") ?? "").split(".").map(Number);
  if (row >= 0 && row < height && column >= 0 && column < width) return { row, column };
  const bytes = bytesOf(data);
  const at = bytes.indexOf(bytes.reduce((most, byte) => Math.max(most, byte), 0));
  return { row: Math.floor(at / width), column: at % width };
}
