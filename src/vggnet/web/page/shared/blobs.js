/** Addresses of what the page has in memory, such as a photograph of the reader. */

/** Let a blob go, once all that were given its address have had time to read it. @param {string} url */
export function revokeLater(url) {
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
