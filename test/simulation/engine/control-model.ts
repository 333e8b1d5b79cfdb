// The statements of src/stores/control on the state in memory, each under the name of the function that it stands for,
// with what constraints and triggers of the database refuse. Decides nothing.

import type { DueChange } from '../../../src/domain/calendar/due-work.js';
import { RESTING_STAGES, SLOT_STAGES, STAGE_TRANSITIONS, type Stage } from '../../../src/domain/rollout/stage.js';
import type { DataCenterChange, DataCenterRow, DataCenterVersion } from '../../../src/stores/control/data-centers.js';
import type { HoldRow } from '../../../src/stores/control/holds.js';
import type { ControlRun } from '../../../src/stores/control/runs.js';
import type { ControlState, ControlTx } from './control-state.js';
import { raise } from './database.js';

type RunKey = { readonly runId: bigint; readonly epoch: bigint };

const nowOf = (tx: ControlTx): Date => tx.db.now;
const rowOf = (state: ControlState, id: string): DataCenterRow | undefined =>
  state.dataCenters.find((row) => row.id === id);

/** Replaces the rows that `which` picks; returns how many. */
function update<K extends 'runs' | 'due' | 'undos' | 'approvals'>(
  tx: ControlTx,
  table: K,
  which: (row: ControlState[K][number]) => boolean,
  change: (row: ControlState[K][number]) => ControlState[K][number],
): number {
  const rows = tx.now[table] as readonly ControlState[K][number][];
  const found = rows.filter(which).length;
  if (found > 0)
    tx.write((state) => {
      const all = state[table] as readonly ControlState[K][number][];
      (state as unknown as Record<K, unknown>)[table] = all.map((row) => (which(row) ? change(row) : row));
    });
  return found;
}

/** What triggers of `data_centers` refuse. */
function checkStep(state: ControlState, before: DataCenterRow, after: DataCenterRow): void {
  const isTaken = after.epoch !== null && after.epoch > (before.epoch ?? 0n) && after.epoch <= state.epoch;
  if (after.epoch !== before.epoch && !isTaken) throw raise('23001');
  if (before.stage === after.stage) return;
  const isLegal = STAGE_TRANSITIONS.some(({ from, to }) => from === before.stage && to === after.stage);
  if (!isLegal) throw raise('23001');
  const inSlot = (stage: Stage): boolean => SLOT_STAGES.includes(stage);
  if (inSlot(after.stage) && state.dataCenters.some((row) => row.id !== after.id && inSlot(row.stage)))
    throw raise('23505');
  const run = state.runs.find(({ runId, state: how }) => runId === after.runId && how === 'open');
  if (after.stage === 'canary' && !(run?.kind === 'migrate' && isApproved(state, after)))
    throw raise('23001', 'data_centers_canary_needs_approval');
  if (after.stage === 'undoing' && run?.kind !== 'undo') throw raise('23001', 'data_centers_undo_requested_check');
}

const isApproved = (state: ControlState, { planId, runId }: DataCenterRow): boolean =>
  state.approvals.some((one) => one.planId === planId && one.usedByRun === runId);

const isUndo = ({ runs }: ControlState, id: bigint | null): boolean =>
  runs.some(({ runId, kind }) => runId === id && kind === 'undo');

const BY_COMMAND = ['intent', 'requestedAt', 'pauseReason', 'pausedUntil', 'cutoverAt', 'lanes'] as const;

function recordVerb(before: DataCenterRow, after: DataCenterRow, now: Date): DataCenterRow {
  const changed = BY_COMMAND.some((column) => before[column]?.valueOf() !== after[column]?.valueOf());
  const failed = before.stage !== after.stage && [before.stage, after.stage].includes('failed');
  const paused =
    after.intent === 'pause'
      ? { pausedAt: before.pausedAt ?? now, pausedBy: 'ana' }
      : { pausedAt: null, pausedBy: null, pauseReason: null, pausedUntil: null };
  const stageSince = before.stage === after.stage ? before.stageSince : now;
  return { ...after, ...paused, stageSince, revision: before.revision + (changed || failed ? 1 : 0) };
}

/** Another transaction holds the row for update: this one waits for its end. */
const lockRow = (tx: ControlTx, id: string): Promise<void> => tx.lock(`row ${id}`, 'exclusive');

export const controlModel = {
  readControlClock: async (tx: ControlTx) => nowOf(tx),
  listDataCenters: async (tx: ControlTx) => tx.now.dataCenters.toSorted((a, b) => a.position - b.position),
  lockDataCenter: async (tx: ControlTx, id: string) => {
    await lockRow(tx, id);
    return rowOf(tx.now, id);
  },
  transitionDataCenter: async (tx: ControlTx, { id, version }: DataCenterVersion, change: DataCenterChange) => {
    await lockRow(tx, id);
    const before = rowOf(tx.now, id);
    if (before?.version !== version) return false;
    const settings = change.settings && { ...SETTINGS, ...change.settings };
    const given = { ...before, ...change, ...(settings && { settings }), version: version + 1 } as DataCenterRow;
    const asked = change.requestedAt == null ? {} : { requestedBy: 'ana' };
    const moved = change.cutoverAt === undefined ? {} : { cutoverSetAt: nowOf(tx) };
    const undoFailed = given.stage === 'failed' && (given.failure === 'undo_forgotten' || isUndo(tx.now, given.runId));
    const after = recordVerb(before, { ...given, ...asked, ...moved, undoFailed }, nowOf(tx));
    checkStep(tx.now, before, after);
    tx.write((state) => {
      state.dataCenters = state.dataCenters.map((row) => (row.id === id ? after : row));
    });
    return true;
  },
  clearSingleWrites: async (tx: ControlTx, id: string) => {
    const row = rowOf(tx.now, id);
    if (row?.singleWrites) await controlModel.transitionDataCenter(tx, row, { singleWrites: false });
  },

  readRollout: async (tx: ControlTx) => ({ epoch: tx.now.epoch, cardHash: null, pinnedAt: null }),
  takeEpoch: async (tx: ControlTx, seenInCells: bigint) => {
    tx.write((state) => {
      state.epoch = (state.epoch > seenInCells ? state.epoch : seenInCells) + 1n;
    });
    return tx.now.epoch;
  },
  readPolicy: async (tx: ControlTx) => tx.now.policy,

  insertControlRun: async (
    tx: ControlTx,
    run: Pick<ControlRun, 'runId' | 'dataCenter' | 'kind' | 'cardHash' | 'planId'>,
  ) => {
    const isMaintenance = (kind: string): boolean => kind === 'reconcile' || kind === 'sweep';
    const open = tx.now.runs.filter(({ state }) => state === 'open');
    if (open.some(({ dataCenter }) => dataCenter === run.dataCenter)) throw raise('23505');
    if (isMaintenance(run.kind) && open.some(({ kind }) => isMaintenance(kind))) throw raise('23505');
    if (tx.now.runs.some(({ runId }) => runId === run.runId)) throw raise('23505');
    const asked = { requestedBy: 'ana', reason: null, requestedAt: null, openedAt: nowOf(tx), endedAt: null };
    const row = { ...run, ...asked, counts: null, state: 'open' as const, epoch: run.runId, shutEpoch: null };
    tx.write((state) => {
      state.runs = [...state.runs, row];
    });
  },
  endControlRun: async (
    tx: ControlTx,
    runId: bigint,
    state: 'done' | 'failed' | 'aborted',
    counts: ControlRun['counts'],
  ) => {
    const isOpen = (one: ControlRun): boolean => one.runId === runId && one.state === 'open';
    const ended = update(tx, 'runs', isOpen, (one) => ({ ...one, state, counts, endedAt: nowOf(tx) })) === 1;
    if (ended)
      update(
        tx,
        'undos',
        (one) => one.runId === runId,
        (one) => ({ ...one, isEnded: true }),
      );
    return ended;
  },
  reopenControlRun: async (tx: ControlTx, runId: bigint) => {
    const failed = tx.now.runs.find((one) => one.runId === runId && one.state === 'failed');
    if (failed === undefined) return;
    if (tx.now.runs.some((one) => one.dataCenter === failed.dataCenter && one.state === 'open')) throw raise('23505');
    update(
      tx,
      'runs',
      (one) => one.runId === runId,
      (one) => ({ ...one, state: 'open', endedAt: null }),
    );
  },
  raiseRunEpoch: async (tx: ControlTx, { runId, epoch }: RunKey, newEpoch: bigint) =>
    update(
      tx,
      'runs',
      (one) => one.runId === runId && one.state === 'open' && one.epoch === epoch,
      (one) => ({ ...one, epoch: newEpoch }),
    ) === 1,
  saveRunClosed: async (tx: ControlTx, { runId, epoch }: RunKey) =>
    update(
      tx,
      'runs',
      (one) => one.runId === runId && one.state === 'open' && one.epoch === epoch && one.shutEpoch !== epoch,
      (one) => ({ ...one, shutEpoch: epoch }),
    ) === 1,
  isUndoRun: async (tx: ControlTx, runId: bigint) =>
    tx.now.runs.some((one) => one.runId === runId && one.kind === 'undo'),
  listOpenControlRuns: async (tx: ControlTx, dataCenter: string) =>
    tx.now.runs.filter((one) => one.dataCenter === dataCenter && one.state === 'open').map(({ runId }) => runId),

  listMaintenance:
    async ({ now: { runs, due } }: ControlTx) =>
    (id: string) => {
      const ours = runs.filter((run) => run.dataCenter === id && (run.kind === 'reconcile' || run.kind === 'sweep'));
      const open = ours.find(({ state }) => state === 'open');
      const night = due.findLast((one) => one.dataCenter === id && one.work === 'reconcile' && one.state === 'due');
      const last = ours.findLast(({ state }) => state !== 'open');
      return {
        open: open === undefined ? null : { runId: open.runId, kind: open.kind, epoch: open.epoch },
        closedEpoch: open?.shutEpoch ?? null,
        night: night === undefined ? null : { localDate: night.localDate, dueAt: night.dueAt },
        request: null,
        failedAt: last?.state === 'failed' ? last.endedAt : null,
      };
    },
  endReconcileRequest: async () => undefined,
  listDueWorkOfEach:
    async ({ now: { due } }: ControlTx, limit: number) =>
    (id: string) =>
      due.filter((one) => one.dataCenter === id).slice(-limit),
  saveDueChange: async (tx: ControlTx, dataCenter: string, change: DueChange) => {
    const { work, localDate } = change;
    const isIt = (one: { dataCenter: string; work: string; localDate: string }): boolean =>
      one.dataCenter === dataCenter && one.work === work && one.localDate === localDate;
    if (change.kind === 'miss')
      return (
        update(
          tx,
          'due',
          (one) => isIt(one) && one.state === 'due',
          (one) => ({ ...one, state: 'missed' }),
        ) === 1
      );
    if (tx.now.due.some(isIt)) return false;
    const row = { dataCenter, work, localDate, dueAt: change.dueAt, state: change.state, startedAt: null, runId: null };
    tx.write((state) => {
      state.due = [...state.due, row];
    });
    return true;
  },
  startDueWork: async (tx: ControlTx, at: { dataCenter: string; localDate: string; runId: bigint }) =>
    update(
      tx,
      'due',
      (one) =>
        one.dataCenter === at.dataCenter &&
        one.work === 'reconcile' &&
        one.localDate === at.localDate &&
        one.state === 'due',
      (one) => ({ ...one, state: 'running', startedAt: nowOf(tx), runId: at.runId }),
    ) === 1,
  findNightOfRun: async (tx: ControlTx, runId: bigint) =>
    tx.now.due.find((one) => one.runId === runId && one.state === 'running'),
  endDueWork: async (tx: ControlTx, runId: bigint, { state }: { state: 'ran' | 'caught_up' | 'missed' }) => {
    update(
      tx,
      'due',
      (one) => one.runId === runId && one.state === 'running',
      (one) => ({ ...one, state }),
    );
  },

  listAllHolds:
    async ({ now: { holds } }: ControlTx) =>
    (id: string) =>
      holds.get(id) ?? [],
  saveHolds: async (tx: ControlTx, id: string, holds: readonly Omit<HoldRow, 'since'>[]) => {
    const known = tx.now.holds.get(id) ?? [];
    const rows = holds.map((hold) => ({
      ...hold,
      since: known.find(({ code }) => code === hold.code)?.since ?? nowOf(tx),
    }));
    tx.write((state) => {
      state.holds = new Map([...state.holds, [id, rows]]);
    });
  },
  listFailedSteps:
    async ({ now: { failed }, db }: ControlTx) =>
    (id: string) =>
      failed.filter(({ dataCenter }) => dataCenter === id).map((one) => ({ ...one, object: null, since: db.now })),
  saveFailedStep: async (tx: ControlTx, dataCenter: string, { step, code }: { step: string; code: string }) => {
    const isIt = (one: { dataCenter: string; step: string }): boolean =>
      one.dataCenter === dataCenter && one.step === step;
    const times = (tx.now.failed.find(isIt)?.times ?? 0) + 1;
    tx.write((state) => {
      state.failed = [...state.failed.filter((one) => !isIt(one)), { dataCenter, step, code, times }];
    });
  },
  deleteFailedSteps: async (tx: ControlTx, id: string, steps: readonly string[]) =>
    tx.write((state) => {
      state.failed = state.failed.filter((one) => one.dataCenter !== id || !steps.includes(one.step));
    }),

  // nobody asks the simulation for these
  appendAudit: async () => undefined,
  isAudited: async () => true,
  identifyPerson: async (_tx: ControlTx, actor: string | null) => ({ name: actor ?? 'ana', knownBy: 'login' }),
  isScheduler: async () => false,
  listChecksInForce: async () => () => [{ name: 'probe', limit: 2, since: null, until: null }],
  sealOpenChecks: async () => undefined,
} as const;

/** Of the policy, which the database adds to what was requested. */
const SETTINGS = {
  ...{ bakeMs: 600_000, checks: [{ name: 'probe', limit: 2, holds: ['write'] }], windows: [], canaryWaitMs: 0 },
  ...{ approval: 'auto', guardRails: { quarantinedShare: 1 } },
} as const;

export const hasRested = ({ stage, requestedAt }: DataCenterRow): boolean =>
  RESTING_STAGES.includes(stage) && requestedAt === null;
