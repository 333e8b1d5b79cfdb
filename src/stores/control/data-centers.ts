// One row per data center: where it is, what its operator wants, what was asked for.

import type { ApprovalMode, GuardRails } from '../../domain/config/rollout-config.js';
import type { Intent, Stage } from '../../domain/rollout/stage.js';
import type { WindowSpec } from '../../domain/windows/windows.js';
import type { ControlTransaction } from './control-database.js';

/** Settings that a run is carried out with; taken from the configuration by `apply --execute`. */
export interface RunSettings {
  readonly cardHash: string;
  readonly batchSize: number;
  readonly lanes: number;
  readonly bakeMs: number;
  readonly bakeQuery?: string | undefined;
  readonly windows: readonly WindowSpec[];
  readonly canaryWaitMs: number;
  readonly approval: ApprovalMode;
  readonly guardRails: GuardRails;
  /** `none`: it decides on the inputs of the moment, without plan and canary. */
  readonly pin: 'plan' | 'none';
}

export interface DataCenterRow {
  readonly id: string;
  readonly position: number;
  readonly zone: string;
  readonly stage: Stage;
  readonly stageSince: Date;
  readonly intent: Intent;
  /** The fence of its cell is known to be closed. */
  readonly quiet: boolean;
  readonly requestedAt: Date | null;
  readonly requestedBy: string | null;
  readonly requestReason: string | null;
  readonly runId: bigint | null;
  readonly epoch: bigint | null;
  readonly notBeforeAt: Date | null;
  readonly notBeforeLocal: string | null;
  readonly cutoverAt: Date | null;
  readonly cutoverLocal: string | null;
  /** When that instant was pinned or last moved. */
  readonly cutoverSetAt: Date | null;
  readonly verifiedAt: Date | null;
  readonly bakeUntil: Date | null;
  readonly failure: string | null;
  /** The plan that the request or the run follows, e.g. `in-7`; null: none yet. */
  readonly planId: string | null;
  readonly settings: RunSettings | null;
  /** When it was done for the first time. */
  readonly doneAt: Date | null;
  /** The change feed of its cell is known to be let through. */
  readonly singleWrites: boolean;
  /** The gate of its cell as it was last read. */
  readonly gateConfiguredAt: Date | null;
  readonly gateEffectiveAt: Date | null;
  readonly gateLatchedAt: Date | null;
  readonly gateSweptAt: Date | null;
  readonly version: number;
}

const SELECT = `select id, position, zone, stage, stage_since as "stageSince", intent, quiet, requested_at as "requestedAt",
  requested_by as "requestedBy", request_reason as "requestReason", run_id as "runId", epoch, not_before_at as "notBeforeAt",
  not_before_local as "notBeforeLocal", cutover_at as "cutoverAt", cutover_local as "cutoverLocal", cutover_set_at as "cutoverSetAt", verified_at as "verifiedAt",
  bake_until as "bakeUntil", failure, plan_id as "planId", plan as settings, done_at as "doneAt", single_writes as "singleWrites",
  gate_configured_at as "gateConfiguredAt", gate_effective_at as "gateEffectiveAt", gate_latched_at as "gateLatchedAt",
  gate_swept_at as "gateSweptAt", version from credit_rollout_control.data_centers`;

// As the driver gives it: int8 as text.
type Stored = Omit<DataCenterRow, 'runId' | 'epoch'> & { readonly runId: string | null; readonly epoch: string | null };

const toRow = (row: Stored): DataCenterRow => ({
  ...row,
  runId: row.runId === null ? null : BigInt(row.runId),
  epoch: row.epoch === null ? null : BigInt(row.epoch),
});

export async function listDataCenters(tx: ControlTransaction): Promise<readonly DataCenterRow[]> {
  return (await tx.raw(`${SELECT} order by position`)).rows.map(toRow);
}

/** For a decision that will be written in this transaction. */
export async function lockDataCenter(tx: ControlTransaction, id: string): Promise<DataCenterRow | undefined> {
  const { rows } = await tx.raw(`${SELECT} where id = ? for update`, [id]);
  return rows[0] && toRow(rows[0]);
}

/** Adds a data center or moves it in the order; never touches where it is. */
export async function saveDataCenter(
  tx: ControlTransaction,
  dc: { id: string; position: number; zone: string },
): Promise<void> {
  await tx.raw(
    `insert into credit_rollout_control.data_centers (id, position, zone) values (?, ?, ?)
     on conflict (id) do update set position = excluded.position, zone = excluded.zone
     where (data_centers.position, data_centers.zone) is distinct from (excluded.position, excluded.zone)`,
    [dc.id, dc.position, dc.zone],
  );
}

const COLUMNS = {
  stage: 'stage',
  intent: 'intent',
  quiet: 'quiet',
  requestedAt: 'requested_at',
  requestedBy: 'requested_by',
  requestReason: 'request_reason',
  runId: 'run_id',
  epoch: 'epoch',
  notBeforeAt: 'not_before_at',
  notBeforeLocal: 'not_before_local',
  cutoverAt: 'cutover_at',
  cutoverLocal: 'cutover_local',
  cutoverSetAt: 'cutover_set_at',
  verifiedAt: 'verified_at',
  bakeUntil: 'bake_until',
  failure: 'failure',
  planId: 'plan_id',
  settings: 'plan',
  doneAt: 'done_at',
  singleWrites: 'single_writes',
  gateConfiguredAt: 'gate_configured_at',
  gateEffectiveAt: 'gate_effective_at',
  gateLatchedAt: 'gate_latched_at',
  gateSweptAt: 'gate_swept_at',
} as const;

export type DataCenterChange = { readonly [K in keyof typeof COLUMNS]?: DataCenterRow[K] };

/** Compare-and-set on the version that was seen; false when somebody was faster. */
export async function transitionDataCenter(
  tx: ControlTransaction,
  seen: { readonly id: string; readonly version: number },
  change: DataCenterChange,
): Promise<boolean> {
  const values = Object.fromEntries(
    Object.entries(change).map(([key, value]) => [
      COLUMNS[key as keyof typeof COLUMNS],
      typeof value === 'bigint' ? String(value) : key === 'settings' ? JSON.stringify(value) : value,
    ]),
  );
  const changed = await tx
    .withSchema('credit_rollout_control')
    .table('data_centers')
    .where({ id: seen.id, version: seen.version })
    .update(values);
  return changed === 1;
}

/** The change feed is no longer known to be let through. */
export async function clearSingleWrites(tx: ControlTransaction, id: string): Promise<void> {
  await tx.raw('update credit_rollout_control.data_centers set single_writes = false where id = ? and single_writes', [
    id,
  ]);
}
