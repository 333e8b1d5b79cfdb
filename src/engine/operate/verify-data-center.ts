// `verify`: compares the stored allotments with the independent rule and with the source as it is now, and proves the
// cut-over. Reads only.
import { findRangeEnd, type VerifyCounts, verifyRange } from '../../stores/cell/batch/verification.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import { listUnreadable } from '../../stores/cell/unreadable.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { type CutoverProof, proveCutover } from '../cutover/prove-cutover.js';

export interface VerifyReport extends VerifyCounts {
  readonly dataCenter: string;
  readonly cutover: CutoverProof;
}

const ORGS_PER_READ = 20_000;
const STATEMENT_MS = 30_000;
const NOTHING: VerifyCounts = { checked: 0, mismatches: 0, changedSince: 0, appeared: 0, gone: 0 };

/** Verifies range by range as `reader`; `onProgress` gets the rows checked so far. */
export async function verifyDataCenter(
  context: Pick<EngineContext, 'cells'>,
  dataCenter: string,
  onProgress: (checked: number) => void = () => undefined,
): Promise<VerifyReport> {
  const cell = context.cells.get(dataCenter);
  let counts = NOTHING;
  let lowerId: string | null = null;
  do {
    const from: string | null = lowerId;
    const part = await verifyPart(cell, from);
    counts = add(counts, part.counts);
    onProgress(counts.checked);
    lowerId = part.upperId;
  } while (lowerId !== null);
  return { dataCenter, ...counts, cutover: await proveCutover(cell, counts.appeared) };
}

interface Part {
  readonly upperId: string | null;
  readonly counts: VerifyCounts;
}

/** One range. An org that cannot be read counts as changed; the others are verified all the same. */
async function verifyPart(cell: CellDatabase, lowerId: string | null): Promise<Part> {
  const read = (reading: 'quick' | 'careful'): Promise<Part> =>
    cell.inTransaction(
      'reader',
      async (tx) => {
        const range = { lowerId, upperId: await findRangeEnd(tx, lowerId, ORGS_PER_READ) };
        const unreadable = reading === 'careful' ? await listUnreadable(tx, range) : [];
        return { upperId: range.upperId, counts: await verifyRange(tx, range, { runId: null, unreadable }) };
      },
      { statementMs: STATEMENT_MS },
    );
  return read('quick').catch((error) => {
    if (classifyFailure(error).kind === 'bad_value') return read('careful');
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
