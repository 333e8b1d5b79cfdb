// Histories of one cell, the same for the model and for a real one: plans, rollouts with orgs that went stale, nights
// and undos, each taken by the engine's own verbs under fences that are opened and closed as a scheduler does.
import type * as fence from '../../../src/stores/cell/batch/fence.js';
import type * as progress from '../../../src/stores/cell/batch/progress.js';
import type * as runs from '../../../src/stores/cell/batch/runs.js';
import type * as maintenance from '../../../src/stores/cell/reconcile/maintenance.js';
import type * as undoRuns from '../../../src/stores/cell/undo/undo-runs.js';
import type { Seal } from '../../../src/stores/seal.js';
import type { Ask } from './ask.js';

type Stores = typeof fence & typeof progress & typeof runs & typeof maintenance & typeof undoRuns;

export type HistorySeal =
  | { readonly kind: 'run'; readonly runId: bigint; readonly planId: bigint; readonly digest: string }
  | { readonly kind: 'maintenance'; readonly runId: bigint }
  | { readonly kind: 'undo_run'; readonly runId: bigint; readonly undoId: bigint; readonly digest: string };

/** What is the same of an org in both: texts, so that what differs can be read. */
export interface LookedAt {
  readonly allotments: Readonly<Record<string, string>>;
  /** Of each org, in order: what was done to its allotment, and why. First decisions are not recorded. */
  readonly changes: Readonly<Record<string, readonly string[]>>;
  /** Of the newest run. */
  readonly drift: Readonly<Record<string, string>>;
  readonly quarantined: readonly string[];
}

export interface HistoryCell {
  inTransaction<T>(role: 'fencer' | 'override', work: (ask: Ask<Stores>) => Promise<T>): Promise<T>;
  /** As its side has it. */
  seal(sealing: HistorySeal): Promise<Seal>;
  makePlan(): Promise<{ readonly planId: bigint; readonly digest: string }>;
  /** Undefined: nothing is left to be undone. */
  acceptUndo(): Promise<{ readonly undoId: bigint; readonly digest: string } | undefined>;
  /** What the last batch ended as. */
  apply(epoch: bigint): Promise<string>;
  detect(epoch: bigint): Promise<string>;
  look(): Promise<LookedAt>;
}

const OPENS = { run: 'openSealedRun', maintenance: 'openSealedMaintenance', undo_run: 'openSealedUndo' } as const;

/** Opens the fence for a run; does what is to be done, closes it and ends the run. */
async function under(
  cell: HistoryCell,
  seals: (runId: bigint) => HistorySeal,
  work: (runId: bigint) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const runId = (await cell.inTransaction('fencer', async (ask) => (await ask('readFence')).epoch)) + 1n;
  const sealing = seals(runId);
  const seal = await cell.seal(sealing);
  await cell.inTransaction('fencer', async (ask) => {
    await ask('lockFenceExclusive');
    await ask(OPENS[sealing.kind], seal);
    await ask('setFence', { state: 'open', epoch: runId, runId });
  });
  const outcomes = await work(runId);
  await cell.inTransaction('fencer', async (ask) => {
    await ask('lockFenceExclusive');
    await ask('saveFenceClosed', null);
    await ask('endRun', runId, 'done');
  });
  return outcomes;
}

/** Canary, ranges, and once more whoever was not as planned. */
export const rollOut = (cell: HistoryCell, plan: { planId: bigint; digest: string }): Promise<readonly string[]> =>
  under(
    cell,
    (runId) => ({ kind: 'run', runId, ...plan }),
    async (runId) => {
      const canary = await cell.apply(runId);
      await cell.inTransaction('fencer', (ask) => ask('passCanary', runId));
      const ranges = await cell.apply(runId);
      const left = await cell.inTransaction('fencer', async (ask) => (await ask('readProgress', runId)).staleLeft);
      if (left > 0) await cell.inTransaction('fencer', (ask) => ask('addFollowUp', runId));
      return [canary, ranges, await cell.apply(runId)];
    },
  );

export const night = (cell: HistoryCell): Promise<readonly string[]> =>
  under(
    cell,
    (runId) => ({ kind: 'maintenance', runId }),
    async (runId) => [await cell.detect(runId), await cell.apply(runId)],
  );

export async function undoLast(cell: HistoryCell): Promise<readonly string[]> {
  const accepted = await cell.acceptUndo();
  if (accepted === undefined) return ['nothing'];
  return under(
    cell,
    (runId) => ({ kind: 'undo_run', runId, ...accepted }),
    async (runId) => [await cell.apply(runId)],
  );
}

/** The columns of an allotment in one order, as text. */
export const showAllotment = (row: Readonly<Record<string, unknown>>): string =>
  COLUMNS.map((column) => `${column} ${row[column] ?? '-'}`).join(', ');

const COLUMNS = [
  ...['edition', 'paid', 'agents', 'additionalCredits', 'negotiatedLimit', 'legacyLimit', 'baseCredits'],
  ...['variableCredits', 'grandfatheredCredits', 'totalCredits', 'floor', 'floorEdition', 'unpaidSince', 'winner'],
] as const;

/** By org, in the order of its rows. */
export function groupByOrg<T extends { readonly orgId: string }>(
  rows: readonly T[],
  show: (row: T) => string,
): Readonly<Record<string, readonly string[]>> {
  const found: Record<string, string[]> = {};
  for (const row of rows) found[row.orgId] = [...(found[row.orgId] ?? []), show(row)];
  return found;
}
