/**
 * The page: four tabs, a language and a theme. Each tab is a module that is loaded when it is first
 * opened and keeps what it shows in the address.
 */

// @ts-ignore: the server has what is drawn elsewhere beneath the page
import { copyPlainly } from "./drawing/copying.js";
import * as state from "./state.js";
import { mountSwitches } from "./switches.js";
import { FIRST, mountTabs } from "./tabs.js";

/**
 * What a tab is given; all else it imports.
 *
 * @typedef {object} Context
 * @property {(listener: () => void) => void} onChange after the language or the theme has changed
 * @property {(tab: string, values?: Record<string, string | number | null>) => void} open
 */

/** @type {(() => void)[]} */
const listeners = [];

/** @type {Context} */
const context = {
  onChange: (listener) => listeners.push(listener),
  open: (tab, values = {}) => state.go({ ...values, tab: tab === FIRST ? null : tab }),
};

mountSwitches(document.querySelector(".switches"), () => {
  tabs.rename();
  listeners.forEach((each) => each());
});
const tabs = mountTabs(document.querySelector(".tabs"), document.querySelector("main"), context);
copyPlainly(document);
