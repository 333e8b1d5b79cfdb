// What is asked of the model of a cell and of a real cell alike: fence, runs, batches, freezes, seals and the gate.
import * as batches from '../../../src/stores/cell/batch/batches.js';
import * as fence from '../../../src/stores/cell/batch/fence.js';
import * as freezes from '../../../src/stores/cell/batch/freezes.js';
import * as openRun from '../../../src/stores/cell/batch/open-run.js';
import * as progress from '../../../src/stores/cell/batch/progress.js';
import * as runs from '../../../src/stores/cell/batch/runs.js';
import * as verification from '../../../src/stores/cell/batch/verification.js';
import type { CellTransaction } from '../../../src/stores/cell/cell-database.js';
import * as gate from '../../../src/stores/cell/cutover/gate.js';
import * as maintenance from '../../../src/stores/cell/reconcile/maintenance.js';
import type { Seal } from '../../../src/stores/seal.js';
import type { CellTx } from '../engine/cell-state.js';
import { fenceModel, NOTHING_COUNTED } from '../engine/fence-model.js';
import { nightModel } from '../engine/night-model.js';
import { type Ask, askOf } from './ask.js';

const REAL = { ...batches, ...fence, ...freezes, ...openRun, ...progress, ...runs, ...verification, ...gate };
const MODEL = { ...fenceModel, ...nightModel };

type Stores = typeof REAL & typeof maintenance;
type AskCell = Ask<Stores>;

export const askCell = (tx: CellTransaction): AskCell => askOf({ ...REAL, ...maintenance }, tx);
export const askCellModel = (tx: CellTx): AskCell => askOf(MODEL, tx);

/** What both have at the moment; numbers of an operation choose among them. */
export interface Known {
  readonly epoch: bigint;
  readonly runs: readonly bigint[];
}

/** A seal as both sides need it. */
export interface Sealing {
  readonly kind: 'run' | 'maintenance' | 'cutover';
  readonly runId?: bigint;
  readonly of?: 'reconcile' | 'sweep';
  readonly plan?: 'first' | 'second' | 'unknown';
  readonly digest?: 'right' | 'wrong';
  readonly at?: Date;
  readonly setAt?: Date;
}

export interface Operation {
  readonly role: 'worker' | 'fencer' | 'operator';
  readonly seals?: Sealing;
  /** The seal is that of `seals`, as its side has it. */
  readonly run: (ask: AskCell, seal: Seal) => Promise<unknown>;
}

const HOUR_MS = 3_600_000;
const STATES = ['open', 'verifying', 'closed'] as const;
const OPENED = ['open', 'verifying'] as const;
const ENDS = ['done', 'failed', 'aborted'] as const;
const pick = <T>(list: readonly T[], n: number): T => list[n % list.length] as T;

const underExclusive =
  (run: Operation['run']): Operation['run'] =>
  async (ask, seal) => {
    await ask('lockFenceExclusive');
    return run(ask, seal);
  };

/** A batch from its claim to its end, and its end once more. */
const work =
  (epoch: bigint): Operation['run'] =>
  async (ask) => {
    await ask('lockFenceShared');
    const run = await ask('findOpenRun', epoch);
    if (run === undefined) return 'fenced';
    const { runId } = run;
    const batch = await ask('claimBatch', run);
    if (batch === undefined) return 'nothing pending';
    const at = { runId, batchNo: batch.batchNo, epoch, timeline: run.timeline };
    const ended = await ask('completeBatch', at, NOTHING_COUNTED);
    return {
      runId,
      batchNo: batch.batchNo,
      kind: batch.kind,
      ended,
      again: await ask('completeBatch', at, NOTHING_COUNTED),
    };
  };

const verify =
  (epoch: bigint, mismatches: number): Operation['run'] =>
  async (ask) => {
    await ask('lockFenceShared');
    const run = await ask('findVerifyingRun', epoch);
    if (run === undefined) return 'fenced';
    const batch = await ask('claimVerification', run.runId);
    if (batch === undefined) return 'nothing to verify';
    const found = { checked: 0, mismatches, changedSince: 0, appeared: 0, gone: 0 };
    await ask('recordVerification', { runId: run.runId, batchNo: batch.batchNo }, { ...found, sums: NO_SUMS });
    return { batchNo: batch.batchNo, kind: batch.kind };
  };

const NO_SUMS = { legacyWins: 0, beforeCredits: '0', afterCredits: '0', floors: '0' };
const ANYBODY = { by: null, reason: null };

type Make = (known: Known, n: number) => Operation;
const ofRun = (known: Known, n: number, make: (runId: bigint) => Operation): Operation =>
  known.runs.length === 0 ? NOTHING : make(pick(known.runs, n));
const NOTHING: Operation = { role: 'fencer', run: async () => null };

/** Each as often as it is here. */
export const OPERATIONS: Readonly<Record<string, Make>> = {
  openRun: (_, n) => ({
    role: 'fencer',
    seals: {
      ...{ kind: 'run', runId: pick([1n, 1n, 2n, 3n], n), plan: pick(['first', 'second', 'first', 'unknown'], n >> 2) },
      digest: n % 7 === 0 ? 'wrong' : 'right',
    },
    run: underExclusive((ask, seal) => ask('openSealedRun', seal)),
  }),
  openNight: (_, n) => ({
    role: 'fencer',
    seals: { kind: 'maintenance', runId: pick([1n, 4n, 5n], n), of: pick(['reconcile', 'sweep'], n >> 2) },
    run: underExclusive((ask, seal) => ask('openSealedMaintenance', seal)),
  }),
  setFence: ({ epoch, ...known }, n) =>
    ofRun({ epoch, ...known }, n >> 2, (runId) => ({
      role: 'fencer',
      run: underExclusive((ask) =>
        ask('setFence', { state: pick(STATES, n), epoch: epoch + pick([1n, 0n, 1n, -1n], n >> 3), runId }),
      ),
    })),
  openAgain: ({ epoch, ...known }, n) =>
    ofRun({ epoch, ...known }, n >> 1, (runId) => ({
      role: 'fencer',
      run: underExclusive((ask) => ask('setFence', { state: pick(OPENED, n), epoch: epoch + 1n, runId })),
    })),
  close: ({ epoch }, n) => ({
    role: 'fencer',
    run: underExclusive((ask) =>
      ask('saveFenceClosed', n % 3 === 0 ? 'i3_floor' : null, pick([0n, epoch, epoch + 1n], n >> 2)),
    ),
  }),
  work: ({ epoch }, n) => ({ role: 'worker', run: work(n % 5 === 0 ? epoch - 1n : epoch) }),
  workOn: ({ epoch }) => ({ role: 'worker', run: work(epoch) }),
  verify: ({ epoch }, n) => ({ role: 'worker', run: verify(epoch, n % 4 === 0 ? 1 : 0) }),
  passCanary: (known, n) => ofRun(known, n, (runId) => ({ role: 'fencer', run: (ask) => ask('passCanary', runId) })),
  endRun: (known, n) =>
    ofRun(known, n >> 2, (runId) => ({ role: 'fencer', run: (ask) => ask('endRun', runId, pick(ENDS, n)) })),
  clearVerification: (known, n) =>
    ofRun(known, n, (runId) => ({ role: 'fencer', run: (ask) => ask('clearVerification', runId) })),
  singleWrites: (_, n) => ({
    role: 'fencer',
    run: underExclusive((ask) => ask(n % 3 === 0 ? 'stopSingleWrites' : 'allowSingleWrites')),
  }),
  freeze: (_, n) => (n % 3 === 0 ? { role: 'operator', run: (ask) => ask('freezeCell', ANYBODY) } : NOTHING),
  acknowledge: (_, n) =>
    n % 2 === 0 ? { role: 'operator', run: underExclusive((ask) => ask('acknowledgeFreeze')) } : NOTHING,
  unfreeze: () => ({ role: 'operator', run: (ask) => ask('unfreezeCell', ANYBODY) }),
  arm: (_, n) => ({
    role: 'fencer',
    seals: {
      ...{ kind: 'cutover', at: new Date(Date.now() + HOUR_MS * pick([1, 2, -1, 1], n)) },
      setAt: new Date(Date.UTC(2026, 0, 1 + ((n >> 2) % 3))),
    },
    run: (ask, seal) => ask('saveGateArmed', seal),
  }),
  disarm: () => ({ role: 'fencer', run: (ask) => ask('saveGateDisarmed') }),
  latch: () => ({ role: 'fencer', run: (ask) => ask('saveGateLatched') }),
  swept: () => ({ role: 'fencer', run: (ask) => ask('markSwept') }),
};

/** What is compared after every operation. */
export async function observe(ask: AskCell, { epoch, runs: ids }: Known): Promise<unknown> {
  const { state, epoch: at, runId, failure, singleWrites, frozen } = await ask('readFence');
  const { configuredAt, effectiveAt, latchedAt, sweptAt } = await ask('readGate');
  const freeze = await ask('readFreeze');
  const ofRuns = [];
  for (const id of ids) {
    const { pending, verified, batches: all, mismatches, canary } = await ask('readProgress', id);
    ofRuns.push({
      id,
      state: (await ask('findRun', id))?.state,
      pending,
      verified,
      all,
      mismatches,
      passed: canary.passed,
    });
  }
  return {
    fence: { state, epoch: at, runId, failure, singleWrites, frozen },
    gate: {
      configuredAt,
      effective: effectiveAt === null ? null : effectiveAt.getTime() === configuredAt?.getTime() ? 'as set' : 'later',
      latched: latchedAt !== null,
      swept: sweptAt !== null,
    },
    freeze: freeze === null ? null : { acknowledged: freeze.acknowledgedAt !== null },
    open: [...(await ask('listOpenRuns'))].toSorted((a, b) => Number(a - b)),
    writes: (await ask('findOpenRun', epoch))?.runId ?? null,
    verifies: (await ask('findVerifyingRun', epoch))?.runId ?? null,
    runs: ofRuns,
  };
}
