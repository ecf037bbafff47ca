/**
 * The language of the page: every text stands in both languages where it is used.
 *
 *     words("guess", "猜一猜")
 */

/** @typedef {"en" | "zh"} Language */

/** @type {Language} */
let current = "en";

/** The text in the page's language. @param {string} en @param {string} zh */
export function words(en, zh) {
  return current === "zh" ? zh : en;
}

/** @returns {Language} */
export function language() {
  return current;
}

/** Take another language; whoever shows texts must be told (main.js does). @param {Language} to */
export function setLanguage(to) {
  current = to;
  document.documentElement.lang = to === "zh" ? "zh-Hans" : "en";
}

/** What the reader's browser asks for. @returns {Language} */
export function preferredLanguage() {
  return (navigator.languages ?? [navigator.language]).find((each) => /^(en|zh)/.test(each))
    ?.startsWith("zh")
    ? "zh"
    : "en";
}
