/**
 * Something that is computed anew whenever its inputs change, by a server that takes a while.
 *
 * Changes in quick succession count as one; of several answers under way only the newest is shown,
 * and what is shown stays until then.
 */

const PAUSE = 100; // milliseconds from a change until it is computed

/**
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} compute
 * @param {(found: T) => void} show
 * @param {(problem: any) => void} fail
 * @returns {{(atOnce?: boolean): void, stop: () => void}} call it after each change; `stop` drops what is under way
 */
export function recomputed(compute, show, fail) {
  let timer = 0;
  let running = new AbortController();

  async function run() {
    clearTimeout(timer);
    timer = 0;
    running.abort();
    const mine = (running = new AbortController());
    try {
      const found = await compute(mine.signal);
      if (!mine.signal.aborted) show(found);
    } catch (problem) {
      if (!mine.signal.aborted) fail(problem);
    }
  }

  const again = (atOnce = false) => {
    if (atOnce) run();
    else timer ||= setTimeout(run, PAUSE);
  };
  again.stop = () => {
    clearTimeout(timer);
    timer = 0;
    running.abort();
  };
  return again;
}
