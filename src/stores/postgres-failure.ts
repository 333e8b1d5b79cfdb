// What a Postgres error means for us, by SQLSTATE: the one place that defines what is retried. Never shows the server's
// text, which can contain org data.

export const FAILURE_KINDS = [
  'retry',
  'too_slow',
  'resources',
  'rule_broken',
  'bad_value',
  'duplicate',
  'unreachable',
  'login_refused',
  'not_permitted',
  'other',
] as const;
export type FailureKind = (typeof FAILURE_KINDS)[number];

export interface PostgresFailure {
  readonly kind: FailureKind;
  readonly sqlstate: string | undefined;
  /** Constraint or table that the server named: ours, never a value. */
  readonly object: string | undefined;
}

const BY_STATE: readonly (readonly [RegExp, FailureKind])[] = [
  [/^(40001|40P01|55P03|57P0.|08...|25P03|25P04)$/u, 'retry'],
  [/^57014$/u, 'too_slow'],
  [/^53...$/u, 'resources'],
  [/^(23514|23502|23001)$/u, 'rule_broken'],
  [/^23505$/u, 'duplicate'],
  [/^22...$/u, 'bad_value'],
  [/^28...$/u, 'login_refused'],
  [/^(42501|25006)$/u, 'not_permitted'],
];
const NETWORK = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ENOENT|EHOSTUNREACH|ENETUNREACH)$/u;
const LOST =
  /^(ECONNRESET|EPIPE)$|Connection terminated|connection is closed|Client has encountered a connection error/u;

/** By what was thrown: a server's error object belongs to one database. */
const subjects = new WeakMap<object, string>();

/**
 * Runs `work` and attaches `subject` to what it throws: a database as a sentence begins with it, `Data center "eu"`.
 * Where one call is inside another, the inner subject counts.
 */
export async function withSubject<T>(subject: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (typeof error === 'object' && error !== null && !subjects.has(error)) subjects.set(error, subject);
    throw error;
  }
}

/** The database that `error` came from; undefined: from none of ours. */
export const subjectOf = (error: unknown): string | undefined =>
  typeof error === 'object' && error !== null ? subjects.get(error) : undefined;

interface Described {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly constraint?: unknown;
  readonly table?: unknown;
  readonly name?: unknown;
}

/** Classifies anything that a query threw. */
export function classifyFailure(error: unknown): PostgresFailure {
  const { code, message, constraint, table, name } = (error ?? {}) as Described;
  const state = typeof code === 'string' ? code : undefined;
  const object = [constraint, table].find((value): value is string => typeof value === 'string');
  const kind =
    BY_STATE.find(([pattern]) => state !== undefined && pattern.test(state))?.[1] ??
    (NETWORK.test(state ?? '') || name === 'KnexTimeoutError' ? 'unreachable' : undefined) ??
    (LOST.test(state ?? '') || LOST.test(String(message)) ? 'retry' : undefined) ??
    (/timeout expired|connect/iu.test(String(message)) && state === undefined ? 'unreachable' : 'other');
  return { kind, sqlstate: state, object };
}
