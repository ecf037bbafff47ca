/** The kernels of the first layer, as the colours that they look for. */

import { element } from "../elements.js";
import { askOnce } from "../shared/asked.js";
import { fill } from "../shared/fill.js";
import { bytesOf, painted } from "../shared/matrices.js";
import { words } from "../words.js";
import { section } from "./section.js";

/** @returns {import("./look.js").Part} */
export function filtersPart() {
  const place = element("div");
  const node = section(words("What it begins with", "它从什么开始"), place);
  let begun = false;

  function update() {
    if (begun) return;
    begun = true;
    fill(place, words("Reading the first layer's kernels…", "正在读取第一层的卷积核…"), async () => {
      const { filters, height, width, layer } = await askOnce("filters");
      return [
        element("p", {}, words(
          `The ${filters.length} kernels of ${layer}, ${height}×${width}, as colours: grey is 0. Edges, and ` +
            "one colour against another; all that the later layers know comes through these.",
          `${layer} 的 ${filters.length} 个 ${height}×${width} 卷积核，用颜色表示，灰色为 0。边缘，以及一种颜色对另一种颜色；后面各层知道的一切都由此而来。`,
        )),
        element(
          "div",
          { class: "filter-grid", role: "img", "aria-label": words("Kernels as small pictures", "卷积核的小图") },
          ...filters.map((data) => picture(data, height, width)),
        ),
      ];
    });
  }

  return { node, update };
}

function picture(data, height, width) {
  const bytes = bytesOf(data);
  return painted({ height, width }, (at) => bytes.subarray(3 * at, 3 * at + 3));
}
