// The job `detect`: searches a cell for drift under the fence, range by range in short transactions, names the causes, and
// makes batches of what is to be healed. It may be killed at any point and goes on there; run twice, the second does nothing.
import { decideCaps } from '../../domain/reconcile/decide-caps.js';
import { decideDrift } from '../../domain/reconcile/decide-drift.js';
import { quarantineUnreadable } from '../../stores/cell/batch/allotments.js';
import type { OpenRun } from '../../stores/cell/batch/open-run.js';
import { findRangeEnd } from '../../stores/cell/batch/verification.js';
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import type { KeyRange } from '../../stores/cell/key-range.js';
import { type Comparison, compareRangeWithSource, readComparison } from '../../stores/cell/reconcile/drift.js';
import { type Candidate, readCandidates } from '../../stores/cell/reconcile/drift-candidates.js';
import {
  addRepairs,
  advanceDetection,
  type FoundDrift,
  healCapped,
  insertDrift,
  lockDetection,
  quarantineListed,
  readFalls,
} from '../../stores/cell/reconcile/drift-writes.js';
import { findSourceRangeEnd } from '../../stores/cell/source-ranges.js';
import { listUnreadable } from '../../stores/cell/unreadable.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import { enterFence, failRun } from '../batch/run-fence.js';
import type { WorkerContext } from '../context.js';

/** Orgs that one transaction compares, and how many of them it looks at closely. */
const RANGE = 40_000;
const CANDIDATES = 1_000;
/** Per transaction of the end: orgs that the limits let through, and batches. */
const HEALED = 5_000;
const BATCHES = 10;

export interface DetectOptions {
  readonly dataCenter: string;
  readonly epoch: bigint;
  readonly signal?: AbortSignal;
}

/** `detected`: all that is to be healed lies in batches. `busy`: another worker is at it. `stopped`: told to. */
export type DetectOutcome = 'detected' | 'fenced' | 'busy' | 'stopped';

type Step = 'searched' | 'ended' | 'too_many' | 'made' | Exclude<DetectOutcome, 'stopped'>;

interface Search {
  readonly size: number;
  /** `careful`: some org of the range cannot be read; find out which, and compare the rest. */
  readonly care: 'quick' | 'careful';
}

/** Searches until everything is known, the fence is no longer ours, or it is told to stop. */
export async function detectDrift(context: WorkerContext, options: DetectOptions): Promise<DetectOutcome> {
  const cell = context.cells.get(options.dataCenter);
  let search: Search = { size: RANGE, care: 'quick' };
  while (!options.signal?.aborted) {
    const step = await takeStep(context, cell, options.epoch, search);
    if (typeof step !== 'string') search = step;
    else if (step === 'detected' || step === 'fenced' || step === 'busy') {
      if (step === 'detected') await context.wakeUps.wakeSchedulers();
      return step;
    } else if (step === 'too_many') search = { ...search, size: Math.max(CANDIDATES, Math.ceil(search.size / 4)) };
    else search = { size: Math.min(RANGE, search.size * 2), care: 'quick' };
  }
  return 'stopped';
}

/** One transaction; another way to search when this one did not do. */
async function takeStep(
  context: WorkerContext,
  cell: CellDatabase,
  epoch: bigint,
  search: Search,
): Promise<Step | Search> {
  try {
    return await cell.inTransaction('worker', async (tx) => {
      const run = await enterFence(tx, epoch);
      if (run === undefined || run.kind === 'migrate' || run.kind === 'undo') return 'fenced';
      return run.cut ? 'detected' : detectNext(tx, run, search);
    });
  } catch (error) {
    const { kind } = classifyFailure(error);
    if (kind === 'bad_value' && search.care === 'quick') return { size: Math.min(search.size, 2_000), care: 'careful' };
    if (kind === 'retry' || kind === 'duplicate') {
      await context.clock.sleep(50);
      return search;
    }
    if (kind !== 'too_slow') throw error;
    if (search.size > 100) return { ...search, size: Math.ceil(search.size / 4) };
    await failRun(context, cell, epoch, 'source_too_slow');
    return 'fenced';
  }
}

async function detectNext(tx: CellTransaction, run: OpenRun, search: Search): Promise<Step> {
  const detection = await lockDetection(tx, run.runId);
  if (detection === undefined) return 'busy';
  if (detection.state === 'ended') return finish(tx, run);
  const comparison = await readComparison(tx, run.kind === 'sweep' ? 'missing' : 'all');
  const lowerId = detection.nextId;
  const upperId = await (run.kind === 'sweep' ? findSourceRangeEnd : findRangeEnd)(tx, lowerId, search.size);
  const range = { lowerId, upperId };
  const unreadable = search.care === 'careful' ? await listUnreadable(tx, range) : [];
  const { candidates, orgs, allotments } = await compareRangeWithSource(tx, range, comparison, unreadable);
  if (candidates.length > CANDIDATES && search.size > CANDIDATES) return 'too_many';
  await keepCandidates(tx, run, comparison, candidates);
  await setUnreadableAside(tx, run, range, unreadable);
  await advanceDetection(tx, detection, { nextId: upperId, orgs, allotments });
  return 'searched';
}

async function keepCandidates(
  tx: CellTransaction,
  { runId }: OpenRun,
  comparison: Comparison,
  ids: readonly string[],
): Promise<void> {
  const candidates = await readCandidates(tx, ids, comparison);
  await insertDrift(
    tx,
    runId,
    candidates.flatMap((candidate) => toDrift(candidate) ?? []),
  );
  const undecidable = candidates.filter(({ org }) => org === 'undecidable').map(({ orgId }) => orgId);
  await quarantineListed(tx, runId, undecidable);
}

/** Undefined: nothing is wrong with it, or it cannot be decided. */
export function toDrift({ orgId, org, beforeFloor, afterFloor }: Candidate): FoundDrift | undefined {
  if (org === 'undecidable') return undefined;
  const drift = decideDrift(org);
  return (
    drift && { ...drift, orgId, beforeTotal: org.beforeTotal, afterTotal: org.afterTotal, beforeFloor, afterFloor }
  );
}

async function setUnreadableAside(
  tx: CellTransaction,
  run: OpenRun,
  range: KeyRange,
  unreadable: readonly string[],
): Promise<void> {
  if (unreadable.length === 0) return;
  await quarantineUnreadable(tx, { ...range, onlyIds: unreadable, runId: run.runId, cardHash: run.cardHash });
}

/** Everything is found: the limits decide about the falls, and what is to be healed becomes batches, some at a time. */
async function finish(tx: CellTransaction, { runId }: OpenRun): Promise<Step> {
  const { counts, caps } = await readFalls(tx, runId);
  const decision = decideCaps(counts, caps);
  for (const kind of ['falls', 'lapses', 'gone'] as const)
    if (decision[kind] === 'heal' && (await healCapped(tx, runId, kind, HEALED)) > 0) return 'made';
  return (await addRepairs(tx, runId, BATCHES)) === 0 ? 'detected' : 'made';
}
