/**
 * The photographs to choose from, and the ways to add one: drop, paste, a file, the camera. What is no
 * picture, or was lost with an earlier load of the page, is said in a line.
 */

import { element } from "../elements.js";
import { add, nameOfPhotograph, photographs, refused, remove } from "../shared/photographs.js";
import { words } from "../words.js";

/** @param {import("./look.js").Look} look @param {Element} root on which files may be dropped */
export function chooser(look, root) {
  const strip = element("div", { class: "photographs", role: "group", "aria-label": words("Photographs", "照片") });
  const files = fileInput(words("Choose a file…", "选择文件…"), { multiple: true }, take);
  const told = element("div", { class: "told", role: "status" });
  const camera = fileInput(words("Camera", "拍照"), { capture: "environment" }, take);
  camera.classList.add("camera");
  const node = element(
    "div",
    { class: "chooser" },
    strip,
    element(
      "div",
      {},
      element("p", { class: "ways" }, files, camera),
      element(
        "p",
        { class: "note" },
        words(
          "Or drop or paste one anywhere here. It goes to this server only, and nothing is kept.",
          "也可以把照片拖放或粘贴到这里。照片只发给本服务器，不会保存。",
        ),
      ),
    ),
    told,
  );

  /** @param {Iterable<File>} given */
  function take(given) {
    refused.length = 0; // what was said of those before
    look.choose(...[...given].map(add));
  }

  let shown = "";
  function update() {
    const current = look.current();
    const now = [
      photographs.map((each) => each.id), current.id, refused.map((each) => each.photograph.id), look.lost(),
    ].join(" ");
    if (now === shown) return;
    shown = now;
    told.replaceChildren(...refused.map(refusal), ...(look.lost() ? [lostLine()] : []));
    const focused = strip.contains(document.activeElement);
    strip.replaceChildren(...photographs.map((each) => thumbnail(each, each === current)));
    if (focused) /** @type {HTMLElement} */ (strip.querySelector('[aria-pressed="true"]'))?.focus();
  }

  function refusal(each) {
    const name = nameOfPhotograph(each.photograph);
    const seen = element(
      "button",
      {
        type: "button", class: "quiet", "aria-label": words(`Dismiss the line about ${name}`, `关闭关于 ${name} 的提示`),
        onclick() {
          refused.splice(refused.indexOf(each), 1);
          update();
          /** @type {HTMLElement} */ (node.querySelector("input[type=file]")).focus();
        },
      },
      words("Dismiss", "知道了"),
    );
    const why = words(`${name} was not taken: ${each.problem.detail}`, `没有采用 ${name}：${each.problem.detail}`);
    return element("p", { class: "problem" }, why, " ", seen);
  }

  function lostLine() {
    return element("p", {}, words(
      "Your photograph was in the memory of this page only, and is there no more: please choose it again. " +
        "Until then, an example.",
      "你的照片只存在于本页的内存中，现在已经没有了：请再选一次。在此之前先看一张示例。",
    ));
  }

  function thumbnail(photograph, chosen) {
    const name = nameOfPhotograph(photograph);
    const picture = element("img", { src: photograph.url, alt: name });
    const button = element(
      "button",
      { type: "button", class: "thumbnail", "aria-pressed": String(chosen), onclick: () => look.choose(photograph) },
      picture,
    );
    if (photograph.example) return button;
    const away = element(
      "button",
      {
        type: "button", class: "quiet away", "aria-label": words(`Remove ${name}`, `移除 ${name}`),
        onclick: () => remove(photograph),
      },
      "×",
    );
    return element("span", { class: "own" }, button, away);
  }

  listenOn(root, take);
  return { node, update };
}

/** @type {((files: Iterable<File>) => void) | null} the newest chooser's; there is one page */
let taking = null;
/** @type {WeakSet<Element>} */
const listening = new WeakSet();

/** Take what is dropped on the root or pasted while it is shown. */
function listenOn(root, take) {
  taking = take;
  if (listening.has(root)) return;
  listening.add(root);
  root.addEventListener("dragover", (event) => {
    event.preventDefault();
    root.classList.add("dropping");
  });
  root.addEventListener("dragleave", (event) => {
    if (!root.contains(event.relatedTarget)) root.classList.remove("dropping");
  });
  root.addEventListener("drop", (event) => {
    event.preventDefault();
    root.classList.remove("dropping");
    taking(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => {
    if (!root.checkVisibility()) return;
    taking([...event.clipboardData.files].filter((file) => file.type.startsWith("image/")));
  });
}

function fileInput(text, attributes, take) {
  const input = element("input", {
    type: "file", accept: "image/*", class: "hidden-input", ...attributes,
    onchange() {
      take(input.files);
      input.value = "";
    },
  });
  return element("label", { class: "button" }, text, input);
}
