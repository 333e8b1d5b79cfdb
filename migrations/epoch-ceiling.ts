// SQL that keeps the epochs of control and of cells where each can follow the others.

/** One for each microsecond since 2000: far above what anything takes, and soon above whatever a leap left. */
export const EPOCH_CEILING = `(1000000000 + greatest(0,
  1000000 * extract(epoch from clock_timestamp() - timestamptz '2000-01-01Z')))::bigint`;
