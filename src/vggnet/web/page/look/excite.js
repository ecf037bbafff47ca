/** The places of all photographs that excite the chosen channel most. */

import * as api from "../api.js";
import { element } from "../elements.js";
import { short } from "../numbers.js";
import { keep } from "../shared/asked.js";
import { fill } from "../shared/fill.js";
import { nameOfPhotograph, photographs } from "../shared/photographs.js";
import { isReadable } from "../shared/predicted.js";
import { view } from "../shared/views.js";
import { words } from "../words.js";
import { chosen } from "./chosen.js";
import { section } from "./section.js";

const TOP = 9;
const MOST = 32; // photographs that the server takes at a time
const SHOWN = 112; // pixels a side of a patch's picture

/** @param {import("./look.js").Look} look @returns {import("./look.js").Part} */
export function excitePart(look) {
  const place = element("div");
  const node = section(words("What excites this channel most", "什么最能激发这个通道"), place);
  node.dataset.needs = "photograph";
  let shown = "";

  function update() {
    const { shown: layer, channel } = chosen(look);
    const now = `${photographs.map((each) => each.id)} ${layer} ${channel}`;
    if (now === shown) return;
    shown = now;
    const working = words("Searching all photographs…", "正在搜索所有照片…");
    fill(place, working, async (signal) => {
      const all = await readable();
      const { patches } = await keep(`excite ${all.map((each) => each.id)} ${layer} ${channel}`, (stop) => ask(all, layer, channel, stop), signal);
      const found = patches.filter((each) => each.value > 0);
      const pictures = await Promise.all(found.map((each) => patchOf(all[each.image], each)));
      return [
        element("p", {}, words(
          `Of the ${all.length} photographs above, these places excite channel ${channel} of ${layer} most. ` +
            "Add photographs of your own, and see what it waits for.",
          `在上面的 ${all.length} 张照片中，这些位置最能激发 ${layer} 的通道 ${channel}。加入你自己的照片，看看它在等什么。`,
        )),
        found.length
          ? element("div", { class: "patches" }, ...pictures)
          : element("p", { class: "empty" }, words("Nothing excites it: it is nowhere above 0.", "没有什么能激发它：没有一处大于 0。")),
      ];
    });
  }

  async function ask(all, layer, channel, signal) {
    const views = await Promise.all(all.map((each) => view(each, look.side)));
    const form = new FormData();
    views.forEach(({ blob }, at) => form.append("images", blob, `${at}`));
    return api.post("excite", { layer, channel, size: look.side, viewed: true, top: TOP }, form, { signal });
  }

  async function patchOf(photograph, { value, field }) {
    const side = look.side ?? look.model.input_size;
    const picture = element("img", { src: (await view(photograph, look.side)).url, alt: "" });
    await picture.decode().catch(() => {
      throw new api.Problem({ detail: words("A picture could not be shown.", "有一张图没能显示。") });
    });
    const scale = picture.naturalWidth / side;
    const [left, top] = [Math.max(0, field.left), Math.max(0, field.top)];
    const width = Math.min(side, field.left + field.width) - left;
    const height = Math.min(side, field.top + field.height) - top;
    const name = nameOfPhotograph(photograph);
    const label = words(`From ${name}`, `取自：${name}`);
    const canvas = element("canvas", { width: SHOWN, height: SHOWN, role: "img", "aria-label": label });
    const drawn = canvas.getContext("2d");
    const fit = SHOWN / Math.max(width, height);
    drawn.drawImage(
      picture, left * scale, top * scale, width * scale, height * scale,
      (SHOWN - width * fit) / 2, (SHOWN - height * fit) / 2, width * fit, height * fit,
    );
    return element("figure", {}, canvas, element("figcaption", {}, `${short(value)} · ${name}`));
  }

  return { node, update };
}

/** The newest photographs that the network could be given. */
async function readable() {
  const known = await Promise.all(photographs.map(isReadable));
  return photographs.filter((_, at) => known[at]).slice(-MOST);
}
