// `verify`: compares the stored allotments with the independent rule and with the source as it is now, and proves the
// cut-over. Names the orgs that break the rule to the person who asks, and to nobody else. Reads only.

import { findNewestRun } from '../../stores/cell/batch/quarantine.js';
import { countUnaccounted } from '../../stores/cell/batch/recorded-allotments.js';
import {
  findRangeEnd,
  listMismatches,
  type Mismatch,
  type VerifyCounts,
  verifyRange,
} from '../../stores/cell/batch/verification.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import { findCell, rejectChangedSource } from '../../stores/cell/identity.js';
import { findSkippedFollowUp, type SkippedFollowUp } from '../../stores/cell/plan/plan-outcome.js';
import { listUnreadable } from '../../stores/cell/unreadable.js';
import { isRowFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { type CutoverProof, proveCutover } from '../cutover/prove-cutover.js';

export type { Mismatch };

export interface VerifyReport extends VerifyCounts {
  readonly dataCenter: string;
  /** Nothing was ever rolled out there, and nobody has an allotment. */
  readonly nothingToVerify: boolean;
  /** Orgs whose row in the source cannot be read: whether they changed there is not known. */
  readonly unreadable: number;
  /** The first orgs of the mismatches, at most as many as were asked for. */
  readonly mismatched: readonly Mismatch[];
  /** Allotments that runs wrote and that are missing without a record, or are there without a run. */
  readonly unaccounted: number;
  /** Orgs that the newest rollout left out, since its source had been replaced after its plan; null: none. */
  readonly skippedFollowUp: SkippedFollowUp | null;
  readonly cutover: CutoverProof;
}

/** How many orgs `verify` names where nobody says otherwise. */
const LISTED_MISMATCHES = 50;

const ORGS_PER_READ = 20_000;
const STATEMENT_MS = 30_000;
const NOTHING: VerifyCounts = { checked: 0, mismatches: 0, changedSince: 0, appeared: 0, gone: 0 };

export interface VerifyQuestion {
  /** How many orgs that break the rule are named. */
  readonly limit?: number;
  /** Gets the rows checked so far. */
  readonly onProgress?: (checked: number) => void;
}

/** Verifies range by range as `reader`. Throws source_changed. */
export async function verifyDataCenter(
  context: Pick<EngineContext, 'cells'>,
  dataCenter: string,
  { limit = LISTED_MISMATCHES, onProgress = () => undefined }: VerifyQuestion = {},
): Promise<VerifyReport> {
  const cell = context.cells.get(dataCenter);
  const sourceUnique = await cell.inTransaction('reader', async (tx) => {
    await rejectChangedSource(tx, dataCenter);
    return (await findCell(tx))?.sourceUnique ?? false;
  });
  let counts = NOTHING;
  const mismatched: Mismatch[] = [];
  let unreadable = 0;
  let lowerId: string | null = null;
  do {
    const from: string | null = lowerId;
    const part = await verifyPart(cell, from, { limit: limit - mismatched.length, sourceUnique });
    mismatched.push(...part.mismatched);
    counts = add(counts, part.counts);
    unreadable += part.unreadable;
    onProgress(counts.checked);
    lowerId = part.upperId;
  } while (lowerId !== null);
  const unaccounted = await cell.inTransaction('reader', countUnaccounted, { statementMs: STATEMENT_MS });
  const nothingToVerify = counts.checked + unreadable === 0 && !(await wasRolledOut(cell));
  const skippedFollowUp = (await cell.inTransaction('reader', findSkippedFollowUp)) ?? null;
  const cutover = await proveCutover(cell, counts.appeared);
  return { dataCenter, nothingToVerify, ...counts, unreadable, unaccounted, mismatched, skippedFollowUp, cutover };
}

const wasRolledOut = (cell: CellDatabase): Promise<boolean> =>
  cell.inTransaction('reader', async (tx) => (await findNewestRun(tx)) !== undefined);

interface Part {
  readonly upperId: string | null;
  readonly counts: VerifyCounts;
  readonly unreadable: number;
  readonly mismatched: readonly Mismatch[];
}

/** One range. An org that cannot be read is counted apart; the others are verified all the same. */
async function verifyPart(
  cell: CellDatabase,
  lowerId: string | null,
  { limit, sourceUnique }: { readonly limit: number; readonly sourceUnique: boolean },
): Promise<Part> {
  const read = (reading: 'quick' | 'careful'): Promise<Part> =>
    cell.inTransaction(
      'reader',
      async (tx) => {
        const range = { lowerId, upperId: await findRangeEnd(tx, lowerId, { size: ORGS_PER_READ, mode: reading }) };
        const unreadable = reading === 'careful' ? await listUnreadable(tx, range) : [];
        const { sums: _, broken, ...counts } = await verifyRange(tx, range, { runId: null, unreadable, sourceUnique });
        const isListed = broken.length > 0 && limit > 0;
        const mismatched = isListed ? await listMismatches(tx, range, { broken, limit }) : [];
        const changedSince = counts.changedSince - unreadable.length;
        return {
          upperId: range.upperId,
          counts: { ...counts, changedSince },
          unreadable: unreadable.length,
          mismatched,
        };
      },
      { statementMs: STATEMENT_MS },
    );
  return read('quick').catch((error) => {
    if (isRowFailure(error)) return read('careful');
    throw error;
  });
}

const add = (a: VerifyCounts, b: VerifyCounts): VerifyCounts => ({
  checked: a.checked + b.checked,
  mismatches: a.mismatches + b.mismatches,
  changedSince: a.changedSince + b.changedSince,
  appeared: a.appeared + b.appeared,
  gone: a.gone + b.gone,
});
