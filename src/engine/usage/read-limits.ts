// What a gateway holds its active orgs to, as the cell has it now.
import { type Enforce, NOT_ENFORCED } from '../../domain/meter/decide-call.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import { readEnforcement } from '../../stores/cell/usage/enforcement.js';
import { type OrgLimits, readStoredLimits, readViewedLimits } from '../../stores/cell/usage/usage-days.js';
import { isRowFailure } from '../../stores/postgres-failure.js';

/** Orgs without an allotment are read from the product's relation, one by one. */
const MAX_VIEWED = 50;

export interface ReadLimits {
  /** By the id that was asked for. An id that no org has is in neither. */
  readonly limits: ReadonlyMap<string, OrgLimits>;
  /** Orgs without an allotment beyond the first 50: ask for them again. */
  readonly unread: readonly string[];
  /** What limits do, of all orgs. */
  readonly enforce: Enforce;
}

/** One query by key list for the orgs that have an allotment, and one by key for each of at most 50 others. */
export async function readLimits(cell: CellDatabase, ids: readonly string[]): Promise<ReadLimits> {
  const wanted = [...new Set(ids)];
  const { stored, enforcement } = await cell.inTransaction('meter', async (tx) => ({
    stored: await readStoredLimits(tx, wanted),
    enforcement: await readEnforcement(tx, wanted),
  }));
  const others = wanted.filter((id) => !stored.has(id));
  const viewed = await readViewed(cell, others.slice(0, MAX_VIEWED));
  const limits = [...stored, ...viewed].map(([orgId, org]) => {
    const enforce = enforcement.orgs.get(orgId);
    return [orgId, enforce === undefined ? org : { ...org, enforce }] as const;
  });
  const { general = NOT_ENFORCED } = enforcement;
  return { limits: new Map(limits), unread: others.slice(MAX_VIEWED), enforce: general };
}

/** Where a row of the source cannot be read, the others are, and that org keeps what is enforced. */
async function readViewed(cell: CellDatabase, ids: readonly string[]): Promise<ReadonlyMap<string, OrgLimits>> {
  if (ids.length === 0) return new Map();
  try {
    return await cell.inTransaction('meter', (tx) => readViewedLimits(tx, ids));
  } catch (error) {
    if (!isRowFailure(error)) throw error;
    if (ids.length === 1) return new Map(ids.map((id) => [id, UNREADABLE]));
    const middle = Math.ceil(ids.length / 2);
    const parts = [await readViewed(cell, ids.slice(0, middle)), await readViewed(cell, ids.slice(middle))];
    return new Map(parts.flatMap((part) => [...part]));
  }
}

const UNREADABLE: OrgLimits = { model: 'legacy', capacity: null, concurrency: null };
