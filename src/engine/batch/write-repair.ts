// Heals one batch of the drift that a reconciliation or a sweep found: writes what the rule gives now, restores orgs
// that came back, retires orgs that are gone. Decides nothing: which orgs to heal is in the drift rows, the rule is in
// the cell.
import { lockAllotments } from '../../stores/cell/batch/allotments.js';
import type { BatchCounts, ClaimedBatch } from '../../stores/cell/batch/batches.js';
import type { OpenRun } from '../../stores/cell/batch/open-run.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { quarantineListed } from '../../stores/cell/reconcile/drift-writes.js';
import {
  countUndecidable,
  listOnOwnCard,
  type RepairedOrg,
  repairAllotments,
  restoreRetired,
  retireAllotments,
  settleDrift,
} from '../../stores/cell/reconcile/repairs.js';

/** Causes whose orgs may have had an allotment before, with a floor that today's inputs may lower. */
const RESTORING: readonly string[] = ['return', 'manual edit', 'restored backup'];

/** Writes a claimed batch of kind `repair`. Orgs that others have written in the meantime count as unchanged. */
export async function writeRepair(tx: CellTransaction, run: OpenRun, batch: ClaimedBatch): Promise<BatchCounts> {
  const { runId, cardHash } = run;
  const ids = batch.orgIds;
  const cause = batch.cause ?? '';
  const kind = run.kind === 'reconcile' ? 'reconcile' : 'sweep';
  if (cause === 'gone') return retire(tx, runId, ids);
  const restored = RESTORING.includes(cause) ? await restoreRetired(tx, runId, ids) : [];
  // locked in one statement, read in the next
  await lockAllotments(tx, ids);
  const written: RepairedOrg[] = [];
  if (kind === 'reconcile')
    for (const own of await listOnOwnCard(tx, { runId, cardHash, ids }))
      written.push(...(await repairAllotments(tx, { runId, kind, cause, ...own })));
  for (const named of restored.length > 0 ? [cause, 'edition', 'lapse'] : [cause])
    written.push(...(await repairAllotments(tx, { runId, cardHash, kind, cause: named, ids: without(ids, written) })));
  const quarantined = await quarantine(tx, run, ids);
  await settleDrift(tx, runId, ids, [...written.map(({ orgId }) => orgId), ...restored]);
  return toCounts(ids.length, written, quarantined);
}

const without = (ids: readonly string[], written: readonly RepairedOrg[]): readonly string[] => {
  const done = new Set(written.map(({ orgId }) => orgId));
  return ids.filter((id) => !done.has(id));
};

async function quarantine(tx: CellTransaction, { runId, cardHash }: OpenRun, ids: readonly string[]): Promise<number> {
  const quarantined = await countUndecidable(tx, ids, cardHash);
  if (quarantined > 0) await quarantineListed(tx, runId, ids);
  return quarantined;
}

async function retire(tx: CellTransaction, runId: bigint, ids: readonly string[]): Promise<BatchCounts> {
  await lockAllotments(tx, ids);
  const retired = await retireAllotments(tx, runId, ids);
  await settleDrift(tx, runId, ids, retired);
  return toCounts(ids.length, [], 0);
}

/** `raised`: allotments that were changed, falls among them. */
function toCounts(orgs: number, written: readonly RepairedOrg[], quarantined: number): BatchCounts {
  const inserted = written.filter(({ way }) => way === 'inserted').length;
  const raised = written.length - inserted;
  const total = written.reduce((sum, { totalCredits }) => sum + BigInt(totalCredits), 0n);
  return {
    orgs,
    inserted,
    raised,
    quarantined,
    unchanged: orgs - written.length - quarantined,
    falls: written.filter(({ movement }) => movement === 'fall').length,
    stale: 0,
    totalCredits: String(total),
  };
}
