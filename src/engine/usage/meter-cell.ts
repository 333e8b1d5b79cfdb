// A meter's side of its cell: reads what orgs are held to and what they used, and records what was counted. Each as the
// role `meter`. Never decides a call.
import { type Enforce, NOT_ENFORCED } from '../../domain/meter/decide-call.js';
import type { DayUsage } from '../../domain/meter/usage.js';
import type { ApiDetails } from '../../domain/usage/api-details.js';
import type { Clock } from '../../kernel/clock.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import { parseOrgId } from '../../stores/cell/org/orgs.js';
import { findApiDetails } from '../../stores/cell/usage/api-details.js';
import { readEnforcement } from '../../stores/cell/usage/enforcement.js';
import { listUsageOfDay, type OrgLimits } from '../../stores/cell/usage/usage-days.js';
import type { MeterStore } from '../../stores/meter/meter-store.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import { explainFailure } from '../database-errors.js';
import { drainUsage } from './drain-usage.js';
import { readLimits } from './read-limits.js';

export interface MeterCell {
  /**
   * Reads what limits do, as a first proof that its login may; `unreachable`: the cell does not answer now, and will be
   * asked again. Throws what does not mend itself, such as not_permitted and wrong_cell.
   */
  prove(): Promise<'read' | 'unreachable'>;
  /** Whether limits could be read when they were read last. */
  isRead(): boolean;
  /** Of all of them; an id that no org has is left out. */
  readLimits(orgIds: readonly string[]): Promise<ReadonlyMap<string, OrgLimits>>;
  /** What limits do, of all orgs, as it was read last. */
  enforce(): Enforce;
  readUsage(orgIds: readonly string[], day: string): Promise<readonly DayUsage[]>;
  /** Undefined: no org has this id, or none can have it. */
  findDetails(orgId: string): Promise<ApiDetails | undefined>;
  /** Records what has grown in a store; returns how many days of orgs. */
  drain(store: Pick<MeterStore, 'collect' | 'confirm'>): Promise<number>;
}

/** Orgs without an allotment are read one by one: what was read of many is good for so long. */
const VIEWED_MS = 60_000;
const MAX_ROUNDS = 20;

export function createMeterCell(cell: CellDatabase, clock: Clock): MeterCell {
  let enforce = NOT_ENFORCED;
  let read = false;
  const viewed = new Map<string, { readonly limits: OrgLimits; readonly untilMs: number }>();

  async function readAll(orgIds: readonly string[]): Promise<ReadonlyMap<string, OrgLimits>> {
    const found = new Map<string, OrgLimits>();
    let asked = orgIds;
    for (let round = 0; asked.length > 0 && round < MAX_ROUNDS; round += 1) {
      const { limits, unread, enforce: general } = await readLimits(cell, asked);
      enforce = general;
      for (const [orgId, org] of limits) found.set(orgId, org);
      asked = unread;
    }
    return found;
  }

  /** Runs a reading of limits, and keeps whether it succeeded. */
  async function noteWhether<T>(reading: () => Promise<T>): Promise<T> {
    try {
      const found = await reading();
      read = true;
      return found;
    } catch (error) {
      read = false;
      throw error;
    }
  }

  async function readNow(orgIds: readonly string[]): Promise<ReadonlyMap<string, OrgLimits>> {
    const nowMs = clock.now().getTime();
    for (const [orgId, { untilMs }] of viewed) if (untilMs <= nowMs) viewed.delete(orgId);
    // an org that is about to be refused is read with few others: it is never answered from what is kept
    const kept = orgIds.length > 50 ? orgIds.filter((orgId) => viewed.has(orgId)) : [];
    const known = new Set(kept);
    const found = new Map(await readAll(orgIds.filter((orgId) => !known.has(orgId))));
    for (const [orgId, { enforce: _, ...limits }] of found)
      if (limits.model === 'legacy') viewed.set(orgId, { limits, untilMs: nowMs + VIEWED_MS });
    if (kept.length === 0) return found;
    // what limits do is never kept: it is changed at run time
    const { general = NOT_ENFORCED, orgs } = await cell.inTransaction('meter', (tx) => readEnforcement(tx, kept));
    enforce = general;
    for (const orgId of kept) {
      const [org, own] = [viewed.get(orgId), orgs.get(orgId)];
      if (org !== undefined) found.set(orgId, own === undefined ? org.limits : { ...org.limits, enforce: own });
    }
    return found;
  }

  return {
    enforce: () => enforce,
    isRead: () => read,
    prove: async () => {
      try {
        enforce = (await noteWhether(() => readLimits(cell, []))).enforce;
        return 'read';
      } catch (thrown) {
        const { kind } = classifyFailure(thrown);
        if (kind === 'unreachable' || kind === 'retry') return 'unreachable';
        throw explainFailure(thrown);
      }
    },
    readLimits: (orgIds) => noteWhether(() => readNow(orgIds)),
    readUsage: (orgIds, day) => cell.inTransaction('meter', (tx) => listUsageOfDay(tx, { ids: orgIds, day })),
    findDetails: (orgId) =>
      cell.inTransaction('meter', async (tx) => {
        const id = await parseOrgId(tx, orgId);
        return id === undefined ? undefined : findApiDetails(tx, id);
      }),
    drain: (store) => drainUsage(cell, store),
  };
}
