// Measures the checks of a cell, and decides by them how many lanes may work: one sampling by one worker. Every worker
// asks for its turn; what is not measured in time holds by itself.
import { type CellCheck, holdsReads, isBuiltIn } from '../../domain/checks/check.js';
import { decideThrottle, UNDECIDED } from '../../domain/checks/decide-throttle.js';
import { type CheckReading, parseQueryValue } from '../../domain/checks/reading.js';
import { toKnownCode } from '../../domain/rollout/cell-code.js';
import {
  beginReadOnly,
  inSavepoint,
  type Mark,
  readBuiltIn,
  readCheckQuery,
  saveMarks,
} from '../../stores/cell/batch/built-in-checks.js';
import {
  claimSampling,
  type Measured,
  type Sampling,
  type StoredCheck,
  type StoredThrottle,
  saveSampling,
  type ThrottleScope,
} from '../../stores/cell/batch/checks.js';
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import { classifyFailure } from '../../stores/postgres-failure.js';

/** One reading may take so long. */
const STATEMENT_MS = 1_000;
const SCOPES: readonly ThrottleScope[] = ['write', 'read'];

/**
 * Measures, unless another worker began to less than `everyMs` ago or nothing is open. Returns whether it did. A check
 * that cannot be read is stored as such; throws only where the cell itself cannot be worked with.
 */
export async function sampleChecks(cell: CellDatabase, everyMs: number): Promise<boolean> {
  const sampling = await cell.inTransaction('worker', (tx) => claimSampling(tx, everyMs), { source: 'unread' });
  if (sampling === undefined) return false;
  const { measured, marks } = await cell.inTransaction('worker', (tx) => measureAll(tx, sampling.checks), {
    statementMs: STATEMENT_MS,
  });
  return cell.inTransaction('worker', async (tx) => {
    const saved = await saveSampling(tx, sampling.at, measured, decideBoth(sampling, measured));
    if (saved && marks.length > 0) await saveMarks(tx, marks);
    return saved;
  });
}

/** By the cell's clock at the begin of the sampling: a slow one makes what it found older, never younger. */
function decideBoth(sampling: Sampling, measured: readonly Measured[]): readonly StoredThrottle[] {
  const readings = measured.map(({ name, value, error }): CheckReading => {
    const limit = sampling.checks.find((check) => check.name === name)?.limit ?? null;
    return { check: { name, limit }, value, error, sampledAt: sampling.at };
  });
  return SCOPES.map((scope) => {
    const throttle = sampling.throttles.find((known) => known.scope === scope) ?? UNDECIDED;
    const obeyed = scope === 'write' ? readings : readings.filter(({ check }) => holdsReads(check.name));
    return { scope, ...decideThrottle(obeyed, { lanes: sampling.lanes, throttle }, sampling.at) };
  });
}

async function measureAll(
  tx: CellTransaction,
  checks: readonly StoredCheck[],
): Promise<{ readonly measured: readonly Measured[]; readonly marks: readonly Mark[] }> {
  await beginReadOnly(tx);
  const measured: Measured[] = [];
  const marks: Mark[] = [];
  for (const check of checks) {
    const { mark, ...one } = await measure(tx, check);
    measured.push(one);
    if (mark?.measured !== undefined || mark?.lsn !== undefined) marks.push(mark);
  }
  return { measured, marks };
}

/** Never throws for what one check meets. */
async function measure(tx: CellTransaction, check: StoredCheck): Promise<Measured & { readonly mark?: Mark }> {
  const { name, query, limit } = check;
  try {
    if (query !== null) return { name, ...toMeasured(await readCheckQuery(tx, query), limit) };
    if (!isBuiltIn(name)) return { name, value: null, error: 'missing' };
    const { reading, mark } = await inSavepoint(tx, () => readBuiltIn(tx, name));
    return { name, value: reading.value, error: reading.code, mark };
  } catch (error) {
    const { sqlstate, kind } = classifyFailure(error);
    if (kind === 'unreachable' || kind === 'retry') throw error;
    return { name, value: null, error: toKnownCode(sqlstate ?? kind) };
  }
}

const toMeasured = (value: unknown, limit: number | null): Pick<Measured, 'value' | 'error'> => {
  const number = parseQueryValue(value, limit);
  return number === undefined ? { value: null, error: 'not_a_number' } : { value: number, error: null };
};

/** What a query says now, as the role that asks: for what a scheduler decides then. `now`: by the cell's clock. */
export async function readQueryCheck(
  cell: CellDatabase,
  { name, query, limit }: CellCheck,
  now: Date,
): Promise<CheckReading> {
  const read = async (): Promise<Measured> =>
    cell.inTransaction(
      'reader',
      async (tx) => {
        await beginReadOnly(tx);
        return { name, ...toMeasured(await readCheckQuery(tx, query ?? 'select null'), limit) };
      },
      { statementMs: STATEMENT_MS },
    );
  const { value, error } = await read().catch((failure: unknown) => {
    const { sqlstate, kind } = classifyFailure(failure);
    return { value: null, error: toKnownCode(sqlstate ?? kind) };
  });
  return { check: { name, limit }, value, error, sampledAt: now };
}
