/** Maps of a layer, a page of them at a time, on one scale of colours. */

import { keep } from "../shared/asked.js";
import { bytesOf } from "../shared/matrices.js";
import { askOfView } from "../shared/views.js";
import { PER_PAGE } from "./chosen.js";

/**
 * The maps of a page, all from the same low to the same high.
 *
 * @param {import("./look.js").Look} look @param {string} layer @param {number} page @param {AbortSignal} signal
 * @returns {Promise<{first: number, height: number, width: number, size: number, maps: import("../shared/matrices.js").Matrix[]}>}
 */
export function mapsOf(look, layer, page, signal) {
  const photograph = look.current();
  const channels = `${page * PER_PAGE}:${(page + 1) * PER_PAGE}`;
  const find = async (stop) => {
    const found = await askOfView(photograph, look.side, "features", { layer, channels }, stop);
    return { ...found, maps: onOneScale(found.maps) };
  };
  return keep(`maps ${photograph.id} ${layer} ${channels}`, find, signal);
}

/** The map of one channel. @param {import("./look.js").Look} look @param {string} layer @param {number} channel @param {AbortSignal} signal */
export async function mapOf(look, layer, channel, signal) {
  const { maps, first } = await mapsOf(look, layer, Math.floor(channel / PER_PAGE), signal);
  return maps[channel - first];
}

/** @param {import("../shared/matrices.js").Matrix[]} maps */
function onOneScale(maps) {
  const high = Math.max(...maps.map((each) => each.high), 0);
  const low = Math.min(...maps.map((each) => each.low), 0);
  const reach = low < 0 ? Math.max(high, -low) : high;
  const [from, to] = low < 0 ? [-reach, reach] : [0, reach];
  return maps.map((map) => {
    if (map.low === from && map.high === to) return map;
    const data = bytesOf(map.data).map((byte) => {
      const value = map.low + ((map.high - map.low) * byte) / 255;
      return to > from ? Math.round((255 * (value - from)) / (to - from)) : 0;
    });
    return { ...map, low: from, high: to, data };
  });
}
