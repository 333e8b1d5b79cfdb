// The checks of a cell: what is measured while we write there, against which limit, and what each holds. A check is
// written in the configuration by the name of a built-in one, or as a query. Decides nothing about lanes.
import { formatDuration, parseDuration } from '../time/duration.js';

/** What a check may hold: the start of a rollout, batches that write, the end of a bake. */
export const CHECK_HOLDS = ['start', 'write', 'bake'] as const;
export type CheckHold = (typeof CHECK_HOLDS)[number];

type Unit = 'ratio' | 'ms' | 'count' | 'mb_per_s';

interface BuiltIn {
  readonly unit: Unit;
  /** In the unit; undefined: it must be written. */
  readonly limit: number | undefined;
  /** Reading orgs obeys it too: verification, plans, detection. */
  readonly reads: boolean;
}

/** Each holds writes. `probe`, `lockWaits` and `batchTime` are on where the configuration names no checks. */
export const BUILT_IN_CHECKS = {
  probe: { unit: 'ratio', limit: 2, reads: true },
  lag: { unit: 'ms', limit: 1_000, reads: false },
  archive: { unit: 'ms', limit: 60_000, reads: false },
  sessions: { unit: 'count', limit: undefined, reads: true },
  wal: { unit: 'mb_per_s', limit: undefined, reads: false },
  lockWaits: { unit: 'count', limit: 4, reads: true },
  batchTime: { unit: 'ms', limit: 1_000, reads: false },
} as const satisfies Readonly<Record<string, BuiltIn>>;
export type BuiltInCheck = keyof typeof BUILT_IN_CHECKS;

export const isBuiltIn = (name: string): name is BuiltInCheck => Object.hasOwn(BUILT_IN_CHECKS, name);
export const isDuration = (name: string): boolean => isBuiltIn(name) && BUILT_IN_CHECKS[name].unit === 'ms';
export const needsLimit = (name: string): boolean => isBuiltIn(name) && BUILT_IN_CHECKS[name].limit === undefined;

/** A check as the configuration writes it. Without a limit, a query returns true or false. */
export interface CheckSpec {
  readonly name: string;
  /** A number, or of a time an ISO 8601 duration. */
  readonly limit?: number | string;
  readonly query?: string;
  readonly holds?: readonly CheckHold[];
}

export const DEFAULT_CHECKS: readonly CheckSpec[] = [{ name: 'probe' }, { name: 'lockWaits' }, { name: 'batchTime' }];

export interface CellCheck {
  readonly name: string;
  /** Null: it is built in. */
  readonly query: string | null;
  /** In ms for a time; null: a query that returns true or false. */
  readonly limit: number | null;
  readonly holds: readonly CheckHold[];
}

export function toCheck({ name, limit, query, holds = ['write'] }: CheckSpec): CellCheck {
  const ownLimit = typeof limit === 'string' ? parseDuration(limit) : limit;
  const limitOf = ownLimit ?? (isBuiltIn(name) ? BUILT_IN_CHECKS[name].limit : undefined);
  return { name, query: query ?? null, limit: limitOf ?? null, holds };
}

/** The checks that hold this. A list that is missing, as an earlier version left it, is empty. */
export const listChecksOf = (specs: readonly CheckSpec[] | undefined, hold: CheckHold): readonly CellCheck[] =>
  (specs ?? []).map(toCheck).filter(({ holds }) => holds.includes(hold));

export const holdsReads = (name: string): boolean => isBuiltIn(name) && BUILT_IN_CHECKS[name].reads;

/** Of a query that returns true or false: how much of its limit it uses. */
export const BOOLEAN_VALUES = { true: 0, false: 2 } as const;

/** One number of a check for people: `1 s 200 ms` never, `1.2 s`, `2.5`, `12 MB/s`. */
export function showCheckNumber(name: string, value: number): string {
  const unit = isBuiltIn(name) ? BUILT_IN_CHECKS[name].unit : 'count';
  const rounded = String(Math.round(value * 100) / 100);
  if (unit === 'ms')
    return value >= 1_000 && value < 60_000 ? `${Math.round(value / 100) / 10} s` : formatDuration(value);
  return unit === 'mb_per_s' ? `${rounded} MB/s` : rounded;
}
