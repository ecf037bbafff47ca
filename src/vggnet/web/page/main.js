/**
 * The page: four tabs, a language and a theme. Each tab is a module that is loaded when it is first
 * opened and keeps what it shows in the address.
 */

import * as api from "./api.js";
import * as figures from "./figures.js";
import * as state from "./state.js";
import { mountSwitches } from "./switches.js";
import { mountTabs } from "./tabs.js";
import { language, words } from "./words.js";

/**
 * What a tab is given.
 *
 * @typedef {object} Context
 * @property {(en: string, zh: string) => string} words
 * @property {() => import("./words.js").Language} language
 * @property {(listener: () => void) => void} onChange after the language or the theme has changed
 * @property {typeof import("./state.js")} state
 * @property {typeof import("./api.js")} api
 * @property {typeof import("./figures.js")} figures
 * @property {(tab: string, values?: Record<string, string | number | null>) => void} open
 */

/** @type {(() => void)[]} */
const listeners = [];

/** @type {Context} */
const context = {
  words,
  language,
  onChange: (listener) => listeners.push(listener),
  state,
  api,
  figures,
  open: (tab, values = {}) => state.go({ ...values, tab }),
};

mountSwitches(document.querySelector(".switches"), () => {
  tabs.rename();
  listeners.forEach((each) => each());
});
const tabs = mountTabs(document.querySelector(".tabs"), document.querySelector("main"), context);
