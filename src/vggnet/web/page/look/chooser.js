/** The photographs to choose from, and the ways to add one: drop, paste, a file, the camera. */

import { element } from "../elements.js";
import { add, nameOfPhotograph, photographs, remove } from "../shared/photographs.js";
import { words } from "../words.js";

/** @param {import("./look.js").Look} look @param {Element} root on which files may be dropped */
export function chooser(look, root) {
  const strip = element("div", { class: "photographs", role: "group", "aria-label": words("Photographs", "照片") });
  const files = fileInput(words("Choose a file…", "选择文件…"), { multiple: true }, take);
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
  );

  /** @param {Iterable<File>} given */
  function take(given) {
    const added = [...given].map(add);
    if (added.length) look.choose(added[added.length - 1]);
  }

  let shown = "";
  function update() {
    const current = look.current();
    const now = `${photographs.map((each) => each.id)} ${current.id}`;
    if (now === shown) return;
    shown = now;
    const focused = strip.contains(document.activeElement);
    strip.replaceChildren(...photographs.map((each) => thumbnail(each, each === current)));
    if (focused) /** @type {HTMLElement} */ (strip.querySelector('[aria-pressed="true"]'))?.focus();
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
