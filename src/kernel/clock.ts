// Time as a dependency: nothing outside this file's implementations asks the machine what time it is.

/** A source of the current instant and of waiting. */
export interface Clock {
  /** The current instant. */
  now(): Date;
  /** Resolves after `ms` milliseconds, or at once when `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's clock. Never decides a cut-over: that is the cell's clock. */
export const systemClock: Clock = {
  now: () => new Date(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done, { once: true });
    }),
};

/** What reads a clock in ms, as often as once for every call. */
export const readMsOf = (clock: Clock): (() => number) =>
  clock === systemClock ? () => Date.now() : () => clock.now().getTime();

/** Whether less than `ms` has passed since; not where the clock was set back meanwhile: then nobody knows. */
export const isWithin = (ms: number, sinceMs: number, nowMs: number): boolean =>
  nowMs >= sinceMs && nowMs - sinceMs < ms;
