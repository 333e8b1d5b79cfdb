// The job `detect`: searches a cell for drift under the fence, range by range in short transactions, names the causes,
// and makes batches of the orgs to heal. A killed one continues where it was; after its end, another run does nothing.
import { decideCaps } from '../../domain/reconcile/decide-caps.js';
import { decideDrift } from '../../domain/reconcile/decide-drift.js';
import { retryWithBackoff } from '../../kernel/retry.js';
import { quarantineUnreadable } from '../../stores/cell/batch/allotments.js';
import type { OpenRun } from '../../stores/cell/batch/open-run.js';
import { findEndBefore } from '../../stores/cell/batch/verification.js';
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import { noteLeftOut } from '../../stores/cell/left-out.js';
import {
  type ComparedRange,
  type Comparison,
  compareRangeWithSource,
  readComparison,
} from '../../stores/cell/reconcile/drift.js';
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
import { classifyFailure, isRowFailure } from '../../stores/postgres-failure.js';
import { findBreach } from '../batch/breach.js';
import { enterFence, failRun } from '../batch/run-fence.js';
import { awaitSample, createSampler } from '../batch/take-lane.js';
import type { WorkerContext } from '../context.js';
import { countLeftOutAs } from '../plan/count-left-out.js';

/** Orgs that one transaction compares, and how many of them it may read in full. */
const RANGE = 40_000;
const CANDIDATES = 1_000;
/** Per transaction at the end: orgs that the limits allow to heal, and batches. */
const HEALED = 5_000;
const BATCHES = 10;

export interface DetectOptions {
  readonly dataCenter: string;
  readonly epoch: bigint;
  readonly signal?: AbortSignal;
  /** Called after each range. */
  readonly onProgress?: () => void;
}

/**
 * `detected`: every org to heal is in a batch. `busy`: another worker searches. `stopped`: `signal` aborted.
 * `throttled`: the checks that hold reads have held it for a while.
 */
export type DetectOutcome = 'detected' | 'fenced' | 'busy' | 'stopped' | 'throttled';

type Step = 'searched' | 'too_many' | 'made' | 'held' | Exclude<DetectOutcome, 'stopped' | 'throttled'>;

/** While the checks hold it, it looks again after this, and gives its place to other work after so many looks. */
const HELD_MS = 1_000;
const MOST_LOOKS = 20;

interface Search {
  readonly size: number;
  /** `careful`: some org of the range cannot be read; find out which, and compare the rest. */
  readonly mode: 'quick' | 'careful';
}

/** Searches until every org is compared, the fence is no longer ours, or `signal` aborts. */
export async function detectDrift(context: WorkerContext, options: DetectOptions): Promise<DetectOutcome> {
  const cell = context.cells.get(options.dataCenter);
  const sampleIfDue = createSampler(context, cell);
  let search: Search = { size: RANGE, mode: 'quick' };
  let looks = 0;
  while (!options.signal?.aborted) {
    const step = await takeStep(context, cell, search, options);
    await sampleIfDue();
    looks = step === 'held' ? looks + 1 : 0;
    if (looks > MOST_LOOKS) return 'throttled';
    if (step === 'held') {
      if (!(await awaitSample(context, cell, looks))) return 'throttled';
      await context.clock.sleep(HELD_MS, options.signal);
      continue;
    }
    if (step === 'searched') options.onProgress?.();
    if (typeof step !== 'string') search = step;
    else if (step === 'detected' || step === 'fenced' || step === 'busy') {
      if (step === 'detected') {
        await countLeftOutAs(cell, 'worker', noteLeftOut);
        await context.wakeUps.wakeSchedulers();
      }
      return step;
    } else if (step === 'too_many') search = { ...search, size: Math.max(CANDIDATES, Math.ceil(search.size / 4)) };
    else search = { size: Math.min(RANGE, search.size * 2), mode: 'quick' };
  }
  return 'stopped';
}

/** How often one step is tried again at once; then the job fails, its code becomes a hold, and the queue repeats it. */
const ATTEMPTS = 20;
const PAUSE_MS = 50;

/** Another session was faster, or in the way. What code of the product raises says nothing about that. */
function passes(error: unknown): boolean {
  const { kind, ours, raised } = classifyFailure(error);
  return !raised && (kind === 'retry' || (kind === 'duplicate' && ours !== undefined));
}

/** One transaction, again while its failure may pass by itself; another way to search where this one cannot succeed. */
async function takeStep(
  context: WorkerContext,
  cell: CellDatabase,
  search: Search,
  { epoch, signal }: DetectOptions,
): Promise<Step | Search> {
  const attempt = (): Promise<Step> =>
    cell.inTransaction('worker', async (tx) => {
      const run = await enterFence(tx, epoch, 'read');
      if (run === undefined || run.kind === 'migrate' || run.kind === 'undo') return 'fenced';
      if (run.detected) return 'detected';
      return run.throttle.lanes === 0 ? 'held' : detectNext(tx, run, search);
    });
  try {
    return await retryWithBackoff(attempt, {
      clock: context.clock,
      attempts: ATTEMPTS,
      pauseMs: () => PAUSE_MS,
      retriesError: passes,
      signal,
    });
  } catch (error) {
    const breach = findBreach(error);
    if (breach === 'source_row_security') {
      await failRun(context, cell, epoch, breach);
      return 'fenced';
    }
    const { kind } = classifyFailure(error);
    if (isRowFailure(error) && search.mode === 'quick') return { size: Math.min(search.size, 2_000), mode: 'careful' };
    if (signal?.aborted && passes(error)) return search;
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
  const range = await findNextRange(tx, comparison, detection.nextId, search);
  const unreadable = search.mode === 'careful' ? await listUnreadable(tx, range) : [];
  const { candidates, orgs, allotments } = await compareRangeWithSource(tx, range, comparison, unreadable);
  if (candidates.length > CANDIDATES && search.size > CANDIDATES) return 'too_many';
  await saveCandidates(tx, run, comparison, candidates);
  await quarantineUnreadable(tx, run.runId, unreadable);
  await advanceDetection(tx, detection, { nextId: range.upperId, orgs, allotments });
  return 'searched';
}

/**
 * Ends after so many orgs of the source. A full range asks no more: allotments without an org are candidates, of which
 * too many make it shorter; a shorter one also ends after so many allotments.
 */
async function findNextRange(
  tx: CellTransaction,
  { kind }: Comparison,
  lowerId: string | null,
  { size, mode }: Search,
): Promise<ComparedRange> {
  const inSource = await findSourceRangeEnd(tx, lowerId, { size, mode });
  if (kind === 'missing') return { lowerId, upperId: inSource };
  if (inSource !== null && size === RANGE) return { lowerId, upperId: inSource, orgs: size };
  return { lowerId, upperId: await findEndBefore(tx, lowerId, size, inSource) };
}

async function saveCandidates(
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

/** Undefined: the org has no drift, or it cannot be decided. */
export function toDrift({ orgId, org, beforeFloor, afterFloor }: Candidate): FoundDrift | undefined {
  if (org === 'undecidable') return undefined;
  const drift = decideDrift(org);
  return drift && { ...drift, orgId, beforeTotal: org.beforeTotal, beforeFloor, afterFloor };
}

/** Every org is compared: the limits decide about the falls, and the orgs to heal become batches, some at a time. */
async function finish(tx: CellTransaction, { runId }: OpenRun): Promise<Step> {
  const { counts, caps } = await readFalls(tx, runId);
  const decision = decideCaps(counts, caps);
  for (const kind of ['falls', 'lapses', 'gone', 'card'] as const)
    if (decision[kind] === 'heal' && (await healCapped(tx, runId, kind, HEALED)) > 0) return 'made';
  return (await addRepairs(tx, runId, BATCHES)) === 0 ? 'detected' : 'made';
}
