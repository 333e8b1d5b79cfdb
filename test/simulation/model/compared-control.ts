// A real control database beside the model of one: rows that are compared and set, epochs, runs and approvals.
import * as approvals from '../../../src/stores/control/approvals.js';
import type { ControlDatabase, ControlTransaction } from '../../../src/stores/control/control-database.js';
import * as dataCenters from '../../../src/stores/control/data-centers.js';
import * as plans from '../../../src/stores/control/plans.js';
import * as rollout from '../../../src/stores/control/rollout.js';
import * as runs from '../../../src/stores/control/runs.js';
import type { Sql } from '../../support/invariants.js';
import { approvalModel } from '../engine/approval-model.js';
import { controlModel } from '../engine/control-model.js';
import { type ControlState, type ControlTx, emptyControl } from '../engine/control-state.js';
import { Database } from '../engine/database.js';
import { type Answer, answerOf, createClient, inModel } from './answers.js';
import { type Ask, askOf } from './ask.js';

const REAL = { ...approvals, ...dataCenters, ...plans, ...rollout, ...runs };
const MODEL = { ...controlModel, ...approvalModel };

type AskControl = Ask<typeof REAL>;
export type ControlOperation = (ask: AskControl) => Promise<unknown>;

const pick = <T>(list: readonly T[], n: number): T => list[n % list.length] as T;
const CHANGES: readonly dataCenters.DataCenterChange[] = [
  { intent: 'pause' },
  { intent: 'run' },
  { lanes: 3 },
  { fenceConfirmedClosed: false },
  { singleWrites: true },
  { epoch: 7n, fenceConfirmedClosed: true },
];

/** `fleet` as the model has it at the moment. */
export const CONTROL_OPERATIONS: Readonly<Record<string, (fleet: ControlState, n: number) => ControlOperation>> = {
  transition: ({ dataCenters: rows }, n) => {
    const row = pick(rows, n);
    const version = n % 3 === 0 ? row.version - 1 : row.version;
    return (ask) => ask('transitionDataCenter', { id: row.id, version }, pick(CHANGES, n >> 2));
  },
  transitionTwice: ({ dataCenters: rows }, n) => {
    const { id, version } = pick(rows, n);
    return async (ask) => [
      await ask('transitionDataCenter', { id, version }, pick(CHANGES, n >> 1)),
      await ask('transitionDataCenter', { id, version }, pick(CHANGES, n >> 2)),
    ];
  },
  step: ({ dataCenters: rows }, n) => {
    const row = pick(rows, n);
    const stage = pick(['migrating', 'verifying', 'done', 'baking'] as const, n >> 1);
    return (ask) => ask('transitionDataCenter', row, { stage });
  },
  clearSingleWrites:
    ({ dataCenters: rows }, n) =>
    (ask) =>
      ask('clearSingleWrites', pick(rows, n).id),
  takeEpoch: (_, n) => (ask) => ask('takeEpoch', BigInt(n % 40)),
  insertRun: ({ dataCenters: rows, epoch }, n) => {
    const of = { dataCenter: pick(rows, n).id, kind: pick(['reconcile', 'undo'] as const, n >> 1) };
    const run = { ...of, runId: n % 5 === 0 ? epoch : epoch + 1n, cardHash: 'card', planId: null };
    return (ask) => ask('insertControlRun', { ...run, requestedBy: null, reason: null });
  },
  raiseEpoch: ({ runs: all }, n) => {
    const run = all.at(-1 - (n % 2));
    if (run === undefined) return async () => null;
    return (ask) => ask('raiseRunEpoch', { ...run, epoch: n % 3 === 0 ? run.epoch - 1n : run.epoch }, run.epoch + 2n);
  },
  closed: ({ runs: all }, n) => {
    const run = all.at(-1 - (n % 2));
    return run === undefined ? async () => null : (ask) => ask('saveRunClosed', run);
  },
  endRun: ({ runs: all }, n) => {
    const run = all.at(-1 - (n % 2));
    return run === undefined
      ? async () => null
      : (ask) => ask('endControlRun', run.runId, pick(['done', 'failed', 'aborted'] as const, n >> 1), null);
  },
  approve: ({ plans: all }) => {
    const planId = all[0]?.planId ?? '';
    return async (ask) => {
      const open = await ask('findApproval', planId);
      if (open !== undefined) return open.state;
      return (await ask('insertApproval', { planId, kind: 'guard_rails', reason: null })).state;
    };
  },
  /** Once, and not again. */
  useApproval: ({ plans: all, epoch }) => {
    const planId = all[0]?.planId ?? '';
    return async (ask) => {
      const open = await ask('findApproval', planId);
      if (open === undefined) return 'none';
      const used = await ask('useApproval', open.approvalId, epoch);
      return [used, await ask('useApproval', open.approvalId, epoch), (await ask('findApproval', planId)) ?? null];
    };
  },
  voidApprovals:
    ({ dataCenters: rows }, n) =>
    async (ask) => {
      await ask('voidApprovals', pick(rows, n).id, 'compared');
    },
};

async function observe(ask: AskControl, planId: string): Promise<unknown> {
  const rows = await ask('listDataCenters');
  const open = [];
  for (const { id } of rows) open.push([...(await ask('listOpenControlRuns', id))].map(String));
  const given = await ask('listPlanApprovals', planId);
  return {
    rows: rows.map(({ id, stage, intent, lanes, version, epoch, fenceConfirmedClosed, singleWrites, pausedAt }) => ({
      ...{ id, stage, intent, lanes, version, epoch, fenceConfirmedClosed, singleWrites, paused: pausedAt !== null },
    })),
    open,
    epoch: (await ask('readRollout')).epoch,
    approvals: given.map(({ state, usedByRun }) => ({ state, usedByRun })),
  };
}

const FORGET = `begin; set local session_replication_role = replica;
  delete from credit_rollout_control.runs; delete from credit_rollout_control.approvals;
  update credit_rollout_control.rollout set epoch = 0;
  update credit_rollout_control.data_centers set stage = 'pending', intent = 'run', lanes = null, lanes_by = null,
    lanes_at = null, version = 1, epoch = null, quiet = true, single_writes = false, paused_at = null,
    paused_by = null, pause_reason = null; commit`;

export interface ComparedControl {
  readonly state: ControlState;
  ask(operation: ControlOperation): Promise<{ readonly model: Answer; readonly real: Answer }>;
  observe(): Promise<{ readonly model: unknown; readonly real: unknown }>;
}

/** Both forget everything but their data centers and the plan. */
export async function compareControl(real: ControlDatabase, sql: Sql, planId: string): Promise<ComparedControl> {
  await sql(FORGET);
  const { rows, plan } = await real.inTransaction(async (tx) => ({
    rows: await dataCenters.listDataCenters(tx),
    plan: await plans.findRegisteredPlan(tx, planId),
  }));
  if (plan === undefined) throw new Error(`no plan ${planId}`);
  const empty = emptyControl([], new Date());
  const state: ControlState = { ...empty, dataCenters: rows, plans: [plan] };
  const db = new Database<ControlState>('compared', { nowMs: Date.now() }, state);
  const client = createClient();
  const both = async (work: ControlOperation): Promise<{ readonly model: Answer; readonly real: Answer }> => ({
    model: await answerOf(() => inModel(db, client, (tx: ControlTx) => work(askOf(MODEL, tx)))),
    real: await answerOf(() => real.inTransaction((tx: ControlTransaction) => work(askOf(REAL, tx)))),
  });
  return {
    get state() {
      return db.state;
    },
    ask: both,
    observe: () => both((ask) => observe(ask, planId)),
  };
}
