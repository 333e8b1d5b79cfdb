// What must hold of every allotment that is written, and of the batch that wrote it.
import type { BatchRow, CellDb, CellState, Change, StoredAllotment } from './cell-state.js';
import { keepsPromise } from './orgs-model.js';
import type { Memory, Say } from './watch.js';

/** Only these let a floor fall. */
const LOWERING: readonly string[] = ['edition', 'lapse', 'undo'];

export function watchAllotments(cell: CellDb, before: CellState, after: CellState, memory: Memory, say: Say): void {
  const fresh = after.changes.slice(before.changes.length);
  for (const change of fresh) {
    const row = after.allotments.get(change.orgId);
    if (row !== undefined) watchPromise(change, row, after, say);
    if (change.runId === null) watchSingle(change, before, say);
    else watchRun(cell, change.runId, before, memory, say);
  }
  watchTwice(fresh, after, say);
  for (const batch of after.batches) {
    const old = before.batches.find(({ runId, batchNo }) => runId === batch.runId && batchNo === batch.batchNo);
    if (old !== undefined && old !== batch) watchBatch(cell, old, batch, { fresh, before }, say);
  }
  const written = fresh.some(({ runId, cause }) => runId !== null && cause === 'apply');
  const done = after.batches.filter(({ state }) => state === 'done').length;
  if (written && done === before.batches.filter(({ state }) => state === 'done').length)
    say('allotments were written, and no batch was completed with them');
}

/** A paid org has what it was promised, and a first decision promises what the old model gave. */
function watchPromise(
  { orgId, cause, operation, before }: Change,
  row: StoredAllotment,
  state: CellState,
  say: Say,
): void {
  if (!keepsPromise(row)) say(`${orgId} has less than its floor`);
  const { baseCredits, variableCredits, grandfatheredCredits, additionalCredits, totalCredits, paid, floor } = row;
  if (totalCredits !== baseCredits + variableCredits + grandfatheredCredits + additionalCredits)
    say(`${orgId}: its total is not the sum of its parts`);
  const had = before?.floor ?? null;
  if (had !== null && (floor ?? -1n) < had && !LOWERING.includes(cause)) say(`${orgId}: its floor fell by ${cause}`);
  const plan = totalCredits - additionalCredits;
  if (operation === 'insert' && cause === 'apply' && paid && isOld(orgId, state) && plan < row.legacyLimit)
    say(`${orgId} got less than the old model gave`);
  const lowered = before?.paid && paid && plan < before.totalCredits - before.additionalCredits;
  if (lowered && (cause === 'apply' || cause === 'feed')) say(`${orgId} was lowered by ${cause}`);
}

/** It was there before any cut-over. */
const isOld = (orgId: string, { changes }: CellState): boolean =>
  orgId.startsWith('a') && !changes.some((one) => one.orgId === orgId && one.operation === 'delete');

function watchSingle({ cause, orgId }: Change, { fence, freeze }: CellState, say: Say): void {
  if (cause === 'feed' && (fence.state !== 'closed' || !fence.singleWrites || freeze?.acknowledgedAt != null))
    say(`${orgId} was written by the feed, which may not write now`);
}

function watchRun({ name, timeline, server }: CellDb, id: bigint, before: CellState, memory: Memory, say: Say): void {
  const { fence, freeze, runs, plans, gate } = before;
  const run = runs.find(({ runId }) => runId === id);
  if (fence.state !== 'open' || fence.runId !== id || run?.state !== 'open') say(`run ${id} wrote, and may not`);
  if (fence.timeline !== timeline || fence.server !== server) say(`run ${id} wrote on another server than its fence's`);
  if (freeze?.acknowledgedAt != null) say(`run ${id} wrote in a frozen cell`);
  if (fence.epoch <= (memory.closedAt.get(name) ?? -1n))
    say(`run ${id} wrote after control had said that it is closed`);
  const plan = plans.find(({ planId }) => planId === run?.planId);
  if (run?.kind === 'migrate' && !memory.approved.has(`${name} ${plan?.planId} ${plan?.digest}`))
    say(`run ${id} wrote a plan that nobody approved`);
  if (run?.kind === 'undo' && gate.effectiveAt !== null) say(`run ${id} undid while the gate was armed`);
}

function watchTwice(fresh: readonly Change[], { changes }: CellState, say: Say): void {
  for (const { orgId, runId, cause } of fresh)
    if (cause === 'apply' && changes.filter((one) => one.orgId === orgId && one.runId === runId).length > 1)
      say(`${orgId} was written twice by run ${runId}`);
}

interface Written {
  readonly fresh: readonly Change[];
  readonly before: CellState;
}

/** The counters of a batch are its rows, and it is done once, under its fence. */
function watchBatch(
  cell: CellDb,
  old: BatchRow,
  { state, runId, batchNo, counts, epoch }: BatchRow,
  by: Written,
  say: Say,
): void {
  const { fresh, before } = by;
  if (state !== 'done' || old.state === 'done') {
    if (old.state === 'done' && old.counts !== counts) say(`batch ${batchNo} of run ${runId} was done twice`);
    return;
  }
  const { fence } = before;
  if (fence.state !== 'open' || fence.epoch !== epoch || fence.runId !== runId)
    say(`batch ${batchNo} of run ${runId} was done, and might not`);
  if (fence.timeline !== cell.timeline || fence.server !== cell.server)
    say(`batch ${batchNo} was done on another server`);
  const { orgs, inserted, raised, unchanged, stale, quarantined } = counts;
  const ids = new Set(fresh.filter((one) => one.runId === runId).map(({ orgId }) => orgId));
  const isList = fresh.some(({ cause }) => cause === 'gone' || cause === 'return');
  if (!isList && inserted + raised !== ids.size)
    say(`batch ${batchNo} of run ${runId} counts ${inserted + raised} of ${ids.size}`);
  if (orgs !== inserted + raised + unchanged + stale + quarantined) say(`the counts of batch ${batchNo} do not add up`);
}
