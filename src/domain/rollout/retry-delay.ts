// How long a slow or unreachable cell is not retried. Pure.

const FIRST_MS = 5_000;
const MAX_MS = 30_000;

/** In ms, after so many attempts in a row (1 or more) that took long and failed. */
export const retryDelayMs = (failures: number): number => Math.min(MAX_MS, FIRST_MS * 2 ** (failures - 1));
