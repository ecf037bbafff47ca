/**
 * Tabs as WAI-ARIA describes them: one is in the order of the Tab key, the arrow keys, Home and End
 * go to the others and open them.
 */

import { element } from "./elements.js";
import * as state from "./state.js";
import { words } from "./words.js";

const TABS = [
  { name: "learn", title: () => words("Learn", "学习"), load: () => import("./learn/learn.js") },
  { name: "network", title: () => words("Network", "网络"), load: () => import("./network/network.js") },
  { name: "principle", title: () => words("Principle", "原理"), load: () => import("./principle/principle.js") },
  { name: "look", title: () => words("Look", "观察"), load: () => import("./look/look.js") },
];

export const FIRST = TABS[0].name; // what an address without a tab shows

/**
 * @param {Element} list @param {Element} main where the panels stand
 * @param {import("./main.js").Context} context
 */
export function mountTabs(list, main, context) {
  const tabs = TABS.map((tab) => ({
    ...tab,
    opened: false,
    button: element("button", {
      type: "button",
      role: "tab",
      id: `tab-${tab.name}`,
      "aria-controls": `panel-${tab.name}`,
      onclick: () => context.open(tab.name),
    }),
    panel: element("section", {
      role: "tabpanel",
      id: `panel-${tab.name}`,
      class: `${tab.name}-panel`,
      "aria-labelledby": `tab-${tab.name}`,
    }),
  }));
  list.append(...tabs.map((tab) => tab.button));
  main.append(...tabs.map((tab) => tab.panel));

  function current() {
    return tabs.find((tab) => tab.name === (state.get("tab") ?? FIRST)) ?? tabs[0];
  }

  function show() {
    const chosen = current();
    for (const tab of tabs) {
      tab.button.setAttribute("aria-selected", String(tab === chosen));
      tab.button.tabIndex = tab === chosen ? 0 : -1;
      tab.panel.hidden = tab !== chosen;
    }
    // A tab's style sheets hold while it is shown, so that none need mind the others' names.
    for (const sheet of /** @type {NodeListOf<HTMLLinkElement>} */ (document.querySelectorAll("link[data-tab]"))) {
      sheet.media = sheet.dataset.tab.split(" ").includes(chosen.name) ? "all" : "not all";
    }
    if (!chosen.opened) open(chosen);
  }

  async function open(tab) {
    tab.opened = true;
    const content = element("section", { class: "content" });
    tab.panel.replaceChildren(content);
    try {
      await (await tab.load()).mount(content, context);
      tab.panel.dataset.ready = "";
    } catch (error) {
      tab.opened = false;
      const detail = error.detail ?? words("This part could not be loaded.", "这一部分没能加载。");
      const retry = { type: "button", onclick: () => open(tab) };
      tab.panel.replaceChildren(
        element("p", { role: "alert" }, `${detail} `, element("button", retry, words("Try again", "重试"))),
      );
      if (!error.detail) console.error(error);
    }
  }

  list.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const at = tabs.indexOf(current());
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = tabs[(to + tabs.length) % tabs.length];
    context.open(next.name);
    next.button.focus();
  });

  function rename() {
    tabs.forEach((tab) => (tab.button.textContent = tab.title()));
    list.setAttribute("aria-label", words("Parts of the page", "页面的各部分"));
  }

  state.onChange((key) => (key === null || key === "tab") && show());
  rename();
  show();
  return { rename };
}
