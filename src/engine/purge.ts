// Purges rows in every cell, part by part, each part in a transaction of its own. A cell that cannot be reached is
// purged the next time.
import { toSections } from '../domain/config/policy.js';
import { isRolloutError } from '../kernel/rollout-error.js';
import type { CellTransaction } from '../stores/cell/cell-database.js';
import { readPolicy } from '../stores/control/policy.js';
import { sealRetention } from '../stores/control/seals.js';
import { classifyFailure } from '../stores/postgres-failure.js';
import type { Seal } from '../stores/seal.js';
import type { EngineContext } from './context.js';

/** For how long the policy keeps plans and the findings of nights, in days. */
export async function readRetentions({
  control,
}: Pick<EngineContext, 'control'>): Promise<{ readonly planDays: number; readonly driftDays: number }> {
  const { rollout, reconcile } = toSections(await control.inTransaction(readPolicy));
  return { planDays: rollout.planRetentionDays, driftDays: reconcile.driftRetentionDays };
}

export interface Purge {
  /** The event that is logged when a cell fails. */
  readonly failure: string;
  /** Purges one part; returns how many rows or plans that were, 0 when nothing is left to purge. */
  readonly purgePart: (tx: CellTransaction, retention: Seal, dataCenter: string) => Promise<number>;
  readonly signal?: AbortSignal | undefined;
}

/** One part may be large, in ms. */
const STATEMENT_MS = 60_000;
/** After a part that took long the product's server is left alone for a multiple of that. */
const LONG_MS = 100;
const REST = 4;
const LONGEST_REST_MS = 30_000;

/** Returns how many were purged by data center, those of a cell that failed half-way included. */
export async function purgeInCells(
  context: EngineContext,
  dataCenters: readonly string[],
  purge: Purge,
): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for (const id of dataCenters) counts[id] = await purgeInCell(context, id, purge);
  return counts;
}

async function purgeInCell(
  { control, cells, clock, log }: EngineContext,
  dataCenter: string,
  { failure, purgePart, signal }: Purge,
): Promise<number> {
  let purged = 0;
  try {
    const cell = cells.get(dataCenter);
    while (!signal?.aborted) {
      // a seal is valid for an hour
      const retention = await control.inTransaction((tx) => sealRetention(tx, dataCenter));
      const began = clock.now().getTime();
      const part = await cell.inTransaction('fencer', (tx) => purgePart(tx, retention, dataCenter), {
        statementMs: STATEMENT_MS,
      });
      if (part === 0) break;
      purged += part;
      const tookMs = clock.now().getTime() - began;
      if (tookMs > LONG_MS) await clock.sleep(Math.min(LONGEST_REST_MS, REST * tookMs), signal);
    }
  } catch (error) {
    const { kind, sqlstate } = classifyFailure(error);
    log.warn(failure, { data_center: dataCenter, code: isRolloutError(error) ? error.code : (sqlstate ?? kind) });
  }
  return purged;
}
