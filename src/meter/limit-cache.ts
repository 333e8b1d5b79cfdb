// What orgs are held to, as their cell has it: read for many at once, again every 10 s for orgs that call, and again
// before one is refused. Never decides, and never forgets what it knew because a cell is away.
import { type CallLimits, ENFORCEMENTS, type Enforce, type Enforcement } from '../domain/meter/decide-call.js';
import type { MeterModel } from '../domain/meter/usage.js';
import { type Clock, isWithin } from '../kernel/clock.js';
import { withTimeout } from '../kernel/retry.js';

/** What a cell says about an org. */
export interface CellLimits {
  readonly model: MeterModel;
  /** Calls or credits a day; null: undecidable, what is enforced stays. */
  readonly capacity: bigint | null;
  /** Calls at once; null: without limit. */
  readonly concurrency: number | null;
  /** As the cell writes its id; left out: as it was asked for. */
  readonly orgId?: string;
  /** Where it differs from the data center's. */
  readonly enforce?: Partial<Enforce> | undefined;
}

/** Orgs that are not in the result have no limit. */
export type ReadCapacity = (orgIds: readonly string[]) => Promise<ReadonlyMap<string, CellLimits>>;

export interface KnownLimits {
  /** As the cell writes it: `020` and `20` are one org, with one day. */
  readonly orgId: string;
  readonly limits: CallLimits;
  /** When the reading began that gave them; null: the cell could not be read. */
  readonly readAtMs: number | null;
}

export interface LimitCache {
  find(orgId: string): KnownLimits | undefined;
  /** Reads an org now, together with others that ask in the same moment. Never rejects. */
  read(orgId: string): Promise<KnownLimits>;
  /** Reads all orgs that called in the last minute, and forgets those that did not for ten, and ids that no org has. */
  refresh(): Promise<void>;
}

export interface LimitCacheOptions {
  readonly readCapacity: ReadCapacity;
  /** Asked at each reading, so that it can be changed at run time. */
  readonly enforce: () => Enforce;
  readonly clock: Clock;
  readonly onFailure: (error: unknown) => void;
}

const ACTIVE_MS = 60_000;
const FORGOTTEN_MS = 600_000;
const READ_MS = 1000;
/** After a reading that failed, none is tried for so long. */
const RETRY_MS = 1000;
/** An id that no org has is asked for again after so long, by its next call only: anybody can invent ids. */
const ABSENT_MS = 10_000;
/** Of one refreshing reading: one that is late keeps no more orgs waiting. */
const MAX_READ = 500;
/** After so many in a row that failed, the cell is away. */
const MAX_FAILED = 3;
/** Other spellings of ids that are kept: each org may have any number of them. */
const MAX_SPELLINGS = 10_000;
/** Counting is exact below; a limit that is not below is none. */
const EXACT_BELOW = 9_000_000_000_000_000n;

interface Entry extends KnownLimits {
  usedAtMs: number;
  /** The cell said that no org has this id. */
  readonly absent: boolean;
}

export function createLimitCache({ readCapacity, enforce, clock, onFailure }: LimitCacheOptions): LimitCache {
  const entries = new Map<string, Entry>();
  /** How the cell writes ids that were asked for otherwise. An id is never written in a new way. */
  const spellings = new Map<string, string>();
  let waiting: { readonly ids: Set<string>; readonly done: Promise<void> } | undefined;
  let failedAtMs = Number.NEGATIVE_INFINITY;
  /** At the last reading: precise enough for which orgs call, and not asked for at each call. */
  let lastMs = clock.now().getTime();
  const now = (): number => {
    lastMs = clock.now().getTime();
    return lastMs;
  };

  async function readMany(orgIds: readonly string[]): Promise<void> {
    // a cell that is away must not keep every call of an org waiting that is at its limit
    if (isWithin(RETRY_MS, failedAtMs, now())) keepUnread(orgIds);
    else await readNow(orgIds);
  }

  async function readNow(orgIds: readonly string[]): Promise<'read' | 'failed'> {
    const readAtMs = now();
    try {
      const capacities = await withTimeout(clock, READ_MS, readCapacity(orgIds));
      if (capacities === undefined) throw new Error(`the cell did not answer in ${READ_MS} ms`);
      const general = enforce();
      for (const orgId of orgIds) {
        const org = capacities.get(orgId);
        const written = org?.orgId ?? orgId;
        if (written !== orgId) keepSpelling(orgId, written);
        keep(written, readAtMs, toLimits(org, entries.get(written), general), org === undefined);
      }
      return 'read';
    } catch (error) {
      failedAtMs = now();
      onFailure(error);
      keepUnread(orgIds);
      return 'failed';
    }
  }

  function keepUnread(orgIds: readonly string[]): void {
    for (const orgId of orgIds)
      keep(orgId, null, entries.get(orgId)?.limits ?? toLimits(undefined, undefined, enforce()), false);
  }

  function keepSpelling(asked: string, written: string): void {
    entries.delete(asked);
    spellings.set(asked, written);
    const [oldest] = spellings.keys();
    if (spellings.size > MAX_SPELLINGS && oldest !== undefined) spellings.delete(oldest);
  }

  const spell = (asked: string): string => (spellings.size === 0 ? asked : (spellings.get(asked) ?? asked));

  function keep(orgId: string, readAtMs: number | null, limits: CallLimits, absent: boolean): void {
    entries.set(orgId, { orgId, limits, readAtMs, absent, usedAtMs: entries.get(orgId)?.usedAtMs ?? now() });
  }

  /** What is known of an id that no org has is not kept up to date. */
  const isOver = ({ absent, readAtMs }: Entry): boolean => absent && !isWithin(ABSENT_MS, readAtMs ?? 0, now());

  return {
    find: (orgId) => {
      const entry = entries.get(orgId) ?? entries.get(spell(orgId));
      if (entry?.absent && isOver(entry)) return undefined;
      if (entry !== undefined) entry.usedAtMs = lastMs;
      return entry;
    },
    read: async (orgId) => {
      if (waiting === undefined) {
        const ids = new Set<string>();
        const done = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
          waiting = undefined;
          return readMany([...ids]);
        });
        waiting = { ids, done };
      }
      waiting.ids.add(spell(orgId));
      await waiting.done;
      const unread = { orgId, limits: toLimits(undefined, undefined, enforce()), readAtMs: null };
      return entries.get(spell(orgId)) ?? unread;
    },
    refresh: async () => {
      const nowMs = now();
      for (const [orgId, entry] of entries)
        if (entry.usedAtMs < nowMs - FORGOTTEN_MS || isOver(entry)) entries.delete(orgId);
      const active = [...entries]
        .filter(([, { usedAtMs, absent }]) => !absent && usedAtMs >= nowMs - ACTIVE_MS)
        .map(([orgId]) => orgId);
      for (let at = 0, failed = 0; at < active.length && failed < MAX_FAILED; at += MAX_READ)
        failed = (await readNow(active.slice(at, at + MAX_READ))) === 'read' ? 0 : failed + 1;
    },
  };
}

/** An undecidable org keeps the number that is enforced, whatever its model was. */
function toLimits(org: CellLimits | undefined, before: Entry | undefined, general: Enforce): CallLimits {
  const { model = 'legacy', capacity = null, concurrency = null, enforce = {} } = org ?? {};
  const exact = capacity !== null && capacity < EXACT_BELOW ? Number(capacity) : null;
  return {
    model,
    capacity: org !== undefined && capacity === null ? (before?.limits.capacity ?? null) : exact,
    concurrency,
    enforceCredits: pickEnforcement(enforce.credits, general.credits),
    enforceConcurrency: pickEnforcement(enforce.concurrency, general.concurrency),
  };
}

const pickEnforcement = (own: Enforcement | undefined, general: Enforcement): Enforcement =>
  own !== undefined && ENFORCEMENTS.includes(own) ? own : general;

export const isSameLimits = (one: CallLimits, other: CallLimits): boolean =>
  one.model === other.model &&
  one.capacity === other.capacity &&
  one.concurrency === other.concurrency &&
  one.enforceCredits === other.enforceCredits &&
  one.enforceConcurrency === other.enforceConcurrency;

/** While a cell cannot be read, an org may exceed the number that was read last by this share. */
const GRACE = 0.1;

export function addGrace(known: CallLimits): CallLimits {
  const raise = (limit: number | null): number | null => (limit === null ? null : limit + Math.ceil(limit * GRACE));
  return { ...known, capacity: raise(known.capacity), concurrency: raise(known.concurrency) };
}
