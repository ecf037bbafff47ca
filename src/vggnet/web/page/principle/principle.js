/** @param {HTMLElement} root @param {import("../main.js").Context} context */
export async function mount(root, context) {
  root.textContent = context.words("principle", "principle");
}
