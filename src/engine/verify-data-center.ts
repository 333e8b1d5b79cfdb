// `verify`: the stored allotments against the independent rule, and against the source now. Reads only.
import { findRangeEnd, type VerifyCounts, verifyRange } from '../stores/cell/verification.js';
import type { EngineContext } from './context.js';
import { explainFailure } from './explain-failure.js';

export interface VerifyReport extends VerifyCounts {
  readonly dataCenter: string;
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
  try {
    do {
      const from: string | null = lowerId;
      const part: { upperId: string | null; counts: VerifyCounts } = await cell.inTransaction(
        'reader',
        async (tx) => {
          const upperId = await findRangeEnd(tx, from, ORGS_PER_READ);
          return { upperId, counts: await verifyRange(tx, { lowerId: from, upperId }, null) };
        },
        { statementMs: STATEMENT_MS },
      );
      counts = add(counts, part.counts);
      onProgress(counts.checked);
      lowerId = part.upperId;
    } while (lowerId !== null);
  } catch (error) {
    throw explainFailure(error, `Data center "${dataCenter}"`);
  }
  return { dataCenter, ...counts };
}

const add = (a: VerifyCounts, b: VerifyCounts): VerifyCounts => ({
  checked: a.checked + b.checked,
  mismatches: a.mismatches + b.mismatches,
  changedSince: a.changedSince + b.changedSince,
  appeared: a.appeared + b.appeared,
  gone: a.gone + b.gone,
});
