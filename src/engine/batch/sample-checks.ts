// Measures the checks of a cell, and decides by them how many lanes may work: one sampling by one worker. Every worker
// asks for its turn; what is not measured in time holds by itself.
import { type CellCheck, holdsReads, isBuiltIn } from '../../domain/checks/check.js';
import { decideThrottle, UNDECIDED } from '../../domain/checks/decide-throttle.js';
import { isBusy, isShared, keepCalm, type OthersWrites, readLoss, seeCalm } from '../../domain/checks/others-writes.js';
import { type CheckReading, parseQueryValue } from '../../domain/checks/reading.js';
import { toKnownCode } from '../../domain/rollout/cell-code.js';
import {
  type BuiltInReading,
  beginReadOnly,
  inSavepoint,
  readBuiltIn,
  readBuiltIns,
  readCheckQuery,
} from '../../stores/cell/batch/built-in-checks.js';
import {
  claimSampling,
  type Measured,
  markWrites,
  type Sampling,
  type StoredCheck,
  type StoredThrottle,
  saveCalmWrites,
  saveSampling,
  type ThrottleScope,
} from '../../stores/cell/batch/checks.js';
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import { classifyFailure } from '../../stores/postgres-failure.js';

/** One reading may take so long. */
const STATEMENT_MS = 1_000;
/** A reading that a crash takes is made again: no lane waits for a disk, or a standby, because of it. */
const LOSSY = { durable: false } as const;
const SCOPES: readonly ThrottleScope[] = ['write', 'read'];

/**
 * Measures, unless another worker began to less than `everyMs` ago or nothing is open. Returns whether it did. A check
 * that cannot be read is stored as such; throws only where the cell itself cannot be worked with.
 */
export async function sampleChecks(cell: CellDatabase, everyMs: number): Promise<boolean> {
  const sampling = await cell.inTransaction('worker', (tx) => claimSampling(tx, everyMs), {
    ...LOSSY,
    source: 'unread',
  });
  if (sampling === undefined) return false;
  const measured = await cell.inTransaction('worker', (tx) => measureAll(tx, sampling), {
    statementMs: STATEMENT_MS,
  });
  return cell.inTransaction(
    'worker',
    (tx) => saveSampling(tx, sampling.at, measured, decideBoth(sampling, measured), keepCalm(sampling.others)),
    LOSSY,
  );
}

/** Notes what others write while nothing is open, so that a run can tell whether they lose by it. */
export async function watchOthers(cell: CellDatabase): Promise<void> {
  await cell.inTransaction(
    'worker',
    async (tx) => {
      const others = await markWrites(tx);
      if (others !== undefined) await saveCalmWrites(tx, seeCalm(others));
    },
    { ...LOSSY, source: 'unread' },
  );
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
    const given = { lanes: sampling.lanes, throttle, busy: isBusy(sampling.others) };
    return { scope, ...decideThrottle(obeyed, given, sampling.at) };
  });
}

async function measureAll(tx: CellTransaction, { checks, others }: Sampling): Promise<readonly Measured[]> {
  await beginReadOnly(tx);
  const builtIn = await measureTogether(tx, checks, others);
  const measured: Measured[] = [];
  for (const check of checks) measured.push(builtIn.get(check.name) ?? (await measure(tx, check, others)));
  return measured;
}

/** The built-in checks at once; none where one of them fails, so that each is measured apart. */
async function measureTogether(
  tx: CellTransaction,
  checks: readonly StoredCheck[],
  others: OthersWrites,
): Promise<ReadonlyMap<string, Measured>> {
  const names = checks.flatMap(({ name, query }) => (query === null && isBuiltIn(name) ? [name] : []));
  if (names.length < 2) return new Map();
  try {
    const found = await inSavepoint(tx, () => readBuiltIns(tx, names));
    const limitOf = (name: string): number | null => checks.find((check) => check.name === name)?.limit ?? null;
    return new Map(found.map(({ name, ...one }) => [name, judge({ name, limit: limitOf(name) }, one, others)]));
  } catch (error) {
    rethrowLost(error);
    return new Map();
  }
}

/** What others lose says more than how long we wait, where it can be told; alone, we wait for ourselves. */
function judge(
  { name, limit }: Pick<StoredCheck, 'name' | 'limit'>,
  { reading, own, mark }: BuiltInReading,
  others: OthersWrites,
): Measured {
  const { value, code } = reading;
  const felt = name === 'probe' ? (readLoss(others, limit ?? 1) ?? (isShared(others) ? own : null)) : null;
  return { name, value: value === null ? null : Math.max(value, felt ?? value), error: code, mark };
}

/** Never throws for what one check meets. */
async function measure(tx: CellTransaction, check: StoredCheck, others: OthersWrites): Promise<Measured> {
  const { name, query, limit } = check;
  try {
    if (query !== null) return { name, ...toMeasured(await readCheckQuery(tx, query), limit) };
    if (!isBuiltIn(name)) return { name, value: null, error: 'missing' };
    return await inSavepoint(tx, async () => judge(check, await readBuiltIn(tx, name), others));
  } catch (error) {
    const { sqlstate, kind } = rethrowLost(error);
    return { name, value: null, error: toKnownCode(sqlstate ?? kind) };
  }
}

/** What an error is; throws it where the cell itself cannot be worked with. */
function rethrowLost(error: unknown): ReturnType<typeof classifyFailure> {
  const failure = classifyFailure(error);
  if (failure.kind === 'unreachable' || failure.kind === 'retry') throw error;
  return failure;
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
