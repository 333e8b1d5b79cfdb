// Reads what the scheduler's decision needs from one cell. Counts only; as fencer, which cannot read orgs.
import { type CellCheck, type CheckSpec, listChecksOf } from '../../domain/checks/check.js';
import { type CheckInForce, hasOtherChecks, readChecksAt } from '../../domain/checks/check-limit.js';
import { type Throttle, UNDECIDED } from '../../domain/checks/decide-throttle.js';
import type { CheckReading } from '../../domain/checks/reading.js';
import { toKnownCode } from '../../domain/rollout/cell-code.js';
import type { CellChecks, CellReading } from '../../domain/rollout/snapshot.js';
import { readChecks, type ThrottleScope } from '../../stores/cell/batch/checks.js';
import { readFence } from '../../stores/cell/batch/fence.js';
import { readFreeze } from '../../stores/cell/batch/freezes.js';
import { readProgress } from '../../stores/cell/batch/progress.js';
import { findRun, listOpenLanes } from '../../stores/cell/batch/runs.js';
import { readWorkers } from '../../stores/cell/batch/workers.js';
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import { listGateHolders, readGate } from '../../stores/cell/cutover/gate.js';
import { isReadOnly, readSourceState } from '../../stores/cell/identity.js';
import { findMaintenance } from '../../stores/cell/reconcile/maintenance.js';
import { hasAdoption } from '../../stores/cell/setup/adoption.js';
import { runBakeQuery } from '../../stores/cell/setup/doctor-queries.js';
import { hasUndoAfter } from '../../stores/cell/undo/undo-runs.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import { readQueryCheck } from '../batch/sample-checks.js';
import { nameReadFailure } from '../database-errors.js';

interface InForce {
  readonly checks: readonly CheckInForce[];
  /** By control's clock: what is loosened ends by it. */
  readonly now: Date;
}

export interface CellQuestion {
  readonly runId: bigint | null;
  /** That control knows: a cell without it was left behind when it moved. Null: none, or it does not matter. */
  readonly adoption: string | null;
  readonly bakeQuery?: string | undefined;
  /** The checks that are in force; left out: it was requested with a version that had none. */
  readonly checks?: InForce | undefined;
  /** The step that is due, whose checks are to be read now. */
  readonly ask?: 'start' | 'bake' | undefined;
  /** The maintenance run that control names; left out or null: none. */
  readonly maintenanceId?: bigint | null;
}

/** Never throws: that a cell cannot be read is a reading too. */
export async function readCell(
  open: () => CellDatabase,
  { runId, adoption, bakeQuery, checks: inForce, ask, maintenanceId = null }: CellQuestion,
): Promise<CellReading> {
  const checks = inForce && readChecksAt(inForce.checks, inForce.now);
  try {
    const cell = open();
    const reading = await cell.inTransaction('state', async (tx): Promise<CellReading> => {
      // whatever it says: nothing of it can be changed now
      if (await isReadOnly(tx)) return { kind: 'unreachable', code: 'read_only' };
      if (adoption !== null && !(await hasAdoption(tx, adoption))) return { kind: 'unreachable', code: 'wrong_cell' };
      const fence = await readFence(tx);
      const run = runId === null ? undefined : await findRun(tx, runId);
      const progress = run && (await readProgress(tx, run.runId));
      const workers = await readWorkers(tx);
      const gate = await readGate(tx);
      return {
        kind: 'read',
        fence: {
          state: fence.state,
          epoch: fence.epoch,
          runId: fence.runId,
          sameTimeline: fence.timeline === fence.currentTimeline,
          sameServer: fence.sameServer,
          failure: fence.failureIsRule ? fence.failure : toKnownCode(fence.failure),
          singleWrites: fence.singleWrites,
        },
        run: progress,
        undone: runId !== null && (await hasUndoAfter(tx, runId)),
        source: await readSourceState(tx),
        workersAlive: workers.alive,
        openLanes: await listOpenLanes(tx),
        lastError: toKnownCode(workers.lastError),
        bakeQuery: undefined,
        bakeError: null,
        ...(inForce && checks && (await readAllChecks(tx, inForce.checks, checks))),
        gate,
        gateHolder:
          gate.effectiveAt === null || gate.latchedAt !== null ? null : ((await listGateHolders(tx))[0] ?? null),
        freeze: await readFreeze(tx),
        maintenance: maintenanceId === null ? undefined : await findMaintenance(tx, maintenanceId),
      };
    });
    if (reading.kind !== 'read') return reading;
    const asked = ask === undefined ? reading : await askChecks(cell, reading, listChecksOf(checks, ask));
    return bakeQuery === undefined ? asked : { ...asked, ...(await readBakeQuery(cell, bakeQuery)) };
  } catch (error) {
    return { kind: 'unreachable', code: toKnownCode(nameReadFailure(error)) };
  }
}

async function readAllChecks(
  tx: CellTransaction,
  inForce: readonly CheckInForce[],
  checks: readonly CheckSpec[],
): Promise<Pick<Read, 'checks' | 'otherChecks'>> {
  const read = await readChecks(tx);
  return { checks: toChecks(read, checks), otherChecks: hasOtherChecks(inForce, read.checks, read.now) };
}

/** Names and limits are control's: of the cell's rows only numbers and codes. */
function toChecks({ now, checks, throttles }: CellChecksRead, specs: readonly CheckSpec[]): CellChecks {
  const readings = listChecksOf(specs, 'write').flatMap((check) => {
    const stored = checks.find(({ name }) => name === check.name);
    return stored === undefined ? [] : [{ ...stored, check, error: toKnownCode(stored.error) }];
  });
  const throttle = (scope: ThrottleScope): Throttle => throttles.find((one) => one.scope === scope) ?? UNDECIDED;
  return { now, readings, write: throttle('write'), read: throttle('read'), asked: [] };
}

type CellChecksRead = Awaited<ReturnType<typeof readChecks>>;
type Read = Extract<CellReading, { readonly kind: 'read' }>;

/** Reads the checks that hold the step that is due, one after the other. */
async function askChecks(cell: CellDatabase, reading: Read, due: readonly CellCheck[]): Promise<Read> {
  if (reading.checks === undefined || due.length === 0) return reading;
  const asked: CheckReading[] = [];
  for (const check of due) asked.push(await readQueryCheck(cell, check, reading.checks.now));
  return { ...reading, checks: { ...reading.checks, asked } };
}

/** A query that cannot be run is reported by its code: the cell itself has just been read. */
async function readBakeQuery(
  cell: CellDatabase,
  sql: string,
): Promise<{ readonly bakeQuery: boolean; readonly bakeError: string | null }> {
  try {
    return { bakeQuery: await cell.inTransaction('reader', (tx) => runBakeQuery(tx, sql)), bakeError: null };
  } catch (error) {
    const { sqlstate, kind } = classifyFailure(error);
    return { bakeQuery: false, bakeError: toKnownCode(sqlstate ?? kind) };
  }
}
