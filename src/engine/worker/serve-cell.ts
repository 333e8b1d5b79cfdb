// What a worker does for one cell: the work of a job, the same work found by polling, and its heartbeat.
import { toKnownCode } from '../../domain/rollout/cell-code.js';
import type { JobKind } from '../../domain/rollout/decide-rollout.js';
import { readFence } from '../../stores/cell/batch/fence.js';
import { findRun } from '../../stores/cell/batch/runs.js';
import { deleteWorker, saveWorkerSeen } from '../../stores/cell/batch/workers.js';
import { findOpenPlanRequest } from '../../stores/cell/plan/plan-requests.js';
import { applyBatches } from '../batch/apply-batches.js';
import { sampleChecks, watchOthers } from '../batch/sample-checks.js';
import { verifyBatches } from '../batch/verify-batches.js';
import type { WorkerContext } from '../context.js';
import { servePlanRequest } from '../plan/serve-plan-request.js';
import { detectDrift } from '../reconcile/detect-drift.js';

/** A job takes no new batch after this time, in ms; it enqueues the job after it instead. */
const JOB_MS = 20_000;

/** A scheduler that was woken could do nothing about it; it asks again by itself. */
const WAITS: readonly string[] = ['no_lane', 'throttled', 'unsampled', 'rests'];

export interface CellMessage {
  readonly dataCenter: string;
  readonly epoch: bigint;
  readonly kind: JobKind;
}

export interface ServeOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called after each batch or range. */
  readonly onProgress?: (() => void) | undefined;
}

/**
 * Does what a message asks for while the fence allows it; enqueues another job while work is left. Returns the outcome.
 */
export async function serveMessage(
  context: WorkerContext,
  message: CellMessage,
  { signal, onProgress }: ServeOptions = {},
): Promise<string> {
  if (message.kind === 'plan') return servePlanRequest(context, message.dataCenter, signal);
  const options = { ...message, forMs: JOB_MS, ...(signal && { signal }), ...(onProgress && { onProgress }) };
  if (message.kind === 'detect') {
    await detectDrift(context, options);
    await context.wakeUps.wakeSchedulers();
    return 'detected';
  }
  const { last } =
    message.kind === 'apply' ? await applyBatches(context, options) : await verifyBatches(context, options);
  const outcome = typeof last === 'string' ? last : last.kind;
  if (outcome === 'done' || outcome === 'split')
    await context.wakeUps.enqueue(message.dataCenter, [message.kind], message.epoch);
  else if (!WAITS.includes(outcome)) await context.wakeUps.wakeSchedulers();
  return outcome;
}

/** Finds open work in the cell itself, and does it: a lost wake-up costs seconds. Undefined: no work is open. */
export async function serveOpenWork(
  context: WorkerContext,
  dataCenter: string,
  options: ServeOptions = {},
): Promise<string | undefined> {
  const open = await context.cells.get(dataCenter).inTransaction('worker', async (tx) => {
    const fence = await readFence(tx);
    const run = fence.runId === null ? undefined : await findRun(tx, fence.runId);
    const planRequested = fence.state === 'closed' && (await findOpenPlanRequest(tx)) !== undefined;
    return { fence, run, planRequested };
  });
  const { state, epoch, frozen } = open.fence;
  if (frozen) return undefined;
  if (open.planRequested) return servePlanRequest(context, dataCenter, options.signal);
  if (state === 'closed') return undefined;
  if (state === 'open' && open.run?.detected === false)
    await serveMessage(context, { dataCenter, epoch, kind: 'detect' }, options);
  return serveMessage(context, { dataCenter, epoch, kind: state === 'open' ? 'apply' : 'verify' }, options);
}

/** Workers ask every 5 s: one of them measures. */
const SAMPLE_EVERY_MS = 4_500;

/** Measures the checks of the cell, where it is this worker's turn; where nothing is open, what others write. */
export async function sampleCellChecks(context: WorkerContext, dataCenter: string): Promise<void> {
  const cell = context.cells.get(dataCenter);
  if (!(await sampleChecks(cell, SAMPLE_EVERY_MS))) await watchOthers(cell);
}

/** Whether its cell can be read. Throws what the database answers. */
export async function reachCell(context: WorkerContext, dataCenter: string): Promise<void> {
  await context.cells.get(dataCenter).inTransaction('worker', readFence);
}

/** Writes this worker's heartbeat, with the code of its last error, into the cell. */
export async function reportAlive(
  context: WorkerContext,
  dataCenter: string,
  workerId: string,
  lastError: string | null,
): Promise<void> {
  await context.cells
    .get(dataCenter)
    .inTransaction('worker', (tx) => saveWorkerSeen(tx, workerId, toKnownCode(lastError)));
}

/** Deletes the heartbeat at a clean stop. */
export async function reportGone(context: WorkerContext, dataCenter: string, workerId: string): Promise<void> {
  await context.cells.get(dataCenter).inTransaction('worker', (tx) => deleteWorker(tx, workerId));
}
