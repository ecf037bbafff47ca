/** The switches of the language and the theme; without a choice both are as the reader's system. */

import { element } from "./elements.js";
import * as state from "./state.js";
import { language, preferredLanguage, setLanguage, words } from "./words.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** @param {Element} root @param {() => void} changed is called after either has changed */
export function mountSwitches(root, changed) {
  const languages = element("button", { type: "button", class: "quiet", onclick: toggleLanguage });
  const themes = element("button", { type: "button", class: "quiet", onclick: toggleTheme });
  root.append(languages, themes);

  function apply() {
    const asked = state.get("language");
    setLanguage(asked === "zh" || asked === "en" ? asked : preferredLanguage());
    const theme = state.get("theme");
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    document.title = words("VGG: see the network, and see it look", "VGG：看懂网络，也看它怎么看");
    languages.textContent = words("中文", "English");
    languages.lang = words("zh-Hans", "en");
    themes.textContent = isDark() ? words("Light", "浅色") : words("Dark", "深色");
    themes.setAttribute("aria-label", isDark() ? words("Light theme", "浅色主题") : words("Dark theme", "深色主题"));
  }

  function toggleLanguage() {
    state.set("language", language() === "zh" ? "en" : "zh");
  }

  function toggleTheme() {
    state.set("theme", isDark() ? "light" : "dark");
  }

  apply();
  let shown = appearance();
  function again() {
    apply();
    if (appearance() === shown) return;
    shown = appearance();
    changed();
  }
  state.onChange((key) => (key === null || key === "language" || key === "theme") && again());
  dark.addEventListener("change", again);
}

/** Whether the page is dark now. */
function isDark() {
  const theme = document.documentElement.dataset.theme;
  return theme ? theme === "dark" : dark.matches;
}

function appearance() {
  return `${language()} ${isDark()}`;
}
