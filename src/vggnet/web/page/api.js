/**
 * What the page asks the server, and what comes back when that fails.
 *
 * Addresses are relative to this module, so that the page may also lie beneath a path.
 */

import { sentenceOf } from "./faults.js";
import { words } from "./words.js";

/**
 * @typedef {object} Told what the server says of a failure
 * @property {string} detail @property {number} [status] @property {string} [code]
 * @property {Record<string, any>} [values]
 * @property {number} [line] of a token, from 1 @property {number} [column] from 1
 * @property {{line: number, column: number}[]} [places] of all tokens at fault, where they are several
 */

/** A failure, in a sentence for the reader; of tokens also where. */
export class Problem extends Error {
  /** @param {Told} told */
  constructor(told) {
    super(told.detail);
    this.name = "Problem";
    this.told = told;
    this.line = told.line;
    this.column = told.column;
    this.places = told.places;
  }

  /** The sentence, in the language that the page has now. */
  get detail() {
    return sentenceOf(this.told);
  }
}

/** What the reader is told of a failure; one of the page itself goes to the console, too. @param {any} failure */
export function sentenceFor(failure) {
  if (failure instanceof Problem) return failure.detail;
  console.error(failure);
  return words("This could not be shown.", "这里没能显示。");
}

/** Whether another try may do better: not where the server has refused what it was asked. @param {any} failure */
export function mayPass(failure) {
  const status = failure instanceof Problem ? failure.told.status : undefined;
  return status === undefined || status >= 500;
}

/** @typedef {Record<string, string | number | boolean | string[] | null | undefined>} Params */

/**
 * The address of an answer; parameters that are empty are left out, lists are repeated.
 *
 * @param {string} path such as "describe" @param {Params} [params]
 */
export function address(path, params = {}) {
  const url = new URL(`../api/${path}`, import.meta.url);
  for (const [name, value] of Object.entries(params)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== null && each !== undefined && each !== "") url.searchParams.append(name, String(each));
    }
  }
  return url.href;
}

/**
 * @param {string} path @param {Params} [params] @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<any>} what the JSON says @throws {Problem}
 */
export async function get(path, params, options) {
  return (await answer(address(path, params), options)).json();
}

/** As `get`, as text. @param {string} path @param {Params} [params] @param {RequestInit} [options] */
export async function getText(path, params, options) {
  return (await answer(address(path, params), options)).text();
}

/**
 * @param {string} path @param {Params} params @param {Blob | FormData} body
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<any>} @throws {Problem}
 */
export async function post(path, params, body, options) {
  return (await answer(address(path, params), { ...options, method: "POST", body })).json();
}

/** As `post`, of an answer that is a picture. @returns {Promise<Blob>} @throws {Problem} */
export async function postForBlob(path, params, body, options) {
  return (await answer(address(path, params), { ...options, method: "POST", body })).blob();
}

/**
 * A file of the page, such as "evidence.json".
 *
 * @param {string} path @returns {Promise<Response>} @throws {Problem}
 */
export async function file(path) {
  const found = await fetch(new URL(path, import.meta.url)).catch(() => null);
  if (found?.ok) return found;
  throw new Problem({
    detail: words(`The server did not give ${path}; load the page again.`, `服务器没有给出 ${path}，请重新载入页面。`),
  });
}

const PATIENCE = 10_000; // milliseconds from the first try on; this page alone asks for much at once

/** The answer; where the server is busy it is asked again as soon as it said. */
async function answer(url, options) {
  const begun = performance.now();
  for (;;) {
    const response = await reach(url, options);
    if (response.ok) return response;
    const wait = 1000 * Number(response.headers.get("Retry-After"));
    const again = response.status === 503 && wait && performance.now() + wait < begun + PATIENCE;
    if (!again) throw await problemOf(response);
    await new Promise((go) => setTimeout(go, wait));
  }
}

async function reach(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({
      detail: words(
        "The server does not answer. Is vggnet serve still running?",
        "服务器没有应答。vggnet serve 还在运行吗？",
      ),
    });
  }
}

async function problemOf(response) {
  const { status } = response;
  try {
    const told = await response.json();
    if (told.detail) return new Problem({ ...told, status });
  } catch {
    // Not JSON: something between the page and the server answered.
  }
  return new Problem({
    status,
    detail: words(`The server answered with status ${status}.`, `服务器返回了状态 ${status}。`),
  });
}
