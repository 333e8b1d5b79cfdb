// What was read of a check, and what it says: it passes, fails, or there is no data. No data never means that all is
// well.
import { BOOLEAN_VALUES, type CellCheck, showCheckNumber } from './check.js';

/** A reading that is older than this says nothing, in ms. */
export const MAX_AGE_MS = 15_000;

export interface CheckReading {
  readonly check: Pick<CellCheck, 'name' | 'limit'>;
  /** Null: it could not be read. */
  readonly value: number | null;
  /** Code of why it could not be read. */
  readonly error: string | null;
  /** By the cell's clock; null: never. */
  readonly sampledAt: Date | null;
}

export type Standing = 'pass' | 'fail' | 'no_data';

/** How much of its limit is used: 1 is the limit. `no_data`: it cannot be said. */
function readUse({ check, value, error, sampledAt }: CheckReading, now: Date): number | 'no_data' {
  if (value === null || error !== null || sampledAt === null || !Number.isFinite(value)) return 'no_data';
  // a clock that was set back makes a reading of the future, which says as little
  if (Math.abs(now.getTime() - sampledAt.getTime()) > MAX_AGE_MS) return 'no_data';
  if (check.limit === null) return value;
  // of a ratio to calm times, 1 is calm
  if (check.name === 'probe') return check.limit > 1 ? Math.max(0, value - 1) / (check.limit - 1) : 'no_data';
  return Math.max(0, value) / check.limit;
}

export function judgeReading(reading: CheckReading, now: Date): Standing {
  const use = readUse(reading, now);
  return use === 'no_data' ? use : use < 1 ? 'pass' : 'fail';
}

/** The greatest use; `no_data` where one of them has none. Nothing to read uses nothing. */
export function readGreatestUse(readings: readonly CheckReading[], now: Date): number | 'no_data' {
  return readings
    .map((reading) => readUse(reading, now))
    .reduce<number | 'no_data'>(
      (most, use) => (most === 'no_data' || use === 'no_data' ? 'no_data' : Math.max(most, use)),
      0,
    );
}

/** The reading that holds most: one without data, else the one that uses most. Undefined: there is none. */
export function findWorst(readings: readonly CheckReading[], now: Date): CheckReading | undefined {
  const rank = (reading: CheckReading): number => {
    const use = readUse(reading, now);
    return use === 'no_data' ? Number.POSITIVE_INFINITY : use;
  };
  return readings.toSorted((one, other) => rank(other) - rank(one) || 0)[0];
}

/** `lag 2.3 s`; `lag (42501)` without data. */
export function showReading({ check, value, error, sampledAt }: CheckReading): string {
  if (value === null || error !== null) return `${check.name} (${error ?? (sampledAt === null ? 'never' : 'missing')})`;
  if (check.limit === null) return `${check.name} ${value < 1 ? 'true' : 'false'}`;
  return `${check.name} ${showCheckNumber(check.name, value)}`;
}

export const showCheckLimit = ({ name, limit }: CheckReading['check']): string =>
  limit === null ? 'true' : showCheckNumber(name, limit);

/** What a query returned as the value of its check; undefined: neither a number nor, without a limit, true or false. */
export function parseQueryValue(value: unknown, limit: number | null): number | undefined {
  if (limit === null) return typeof value === 'boolean' ? BOOLEAN_VALUES[`${value}`] : undefined;
  // the driver gives int8 and numeric as text
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? Math.max(0, number) : undefined;
}
