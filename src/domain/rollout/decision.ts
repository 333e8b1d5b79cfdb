// A decision: the steps to take now, or why none is taken. And what several decisions share.
import { msSinceHeld, throttleHold } from './check-holds.js';
import { byCommand, createHold, type Hold } from './hold.js';
import type { DataCenterSnapshot, FenceReading, MaintenanceRun, RunReading } from './snapshot.js';
import type { Stage } from './stage.js';

export type JobKind = 'plan' | 'apply' | 'verify' | 'detect';

/** One thing to do now. */
export type Step =
  | { readonly kind: 'request_plan'; readonly reason: string }
  | { readonly kind: 'register_plan'; readonly planId: string; readonly reason: string }
  | { readonly kind: 'activate'; readonly reason: string }
  | { readonly kind: 'open_fence'; readonly state: 'open' | 'verifying'; readonly reason: string }
  | { readonly kind: 'close_fence'; readonly reason: string }
  | { readonly kind: 'pass_canary'; readonly reason: string }
  | { readonly kind: 'follow_up'; readonly reason: string }
  | { readonly kind: 'advance'; readonly to: Stage; readonly reason: string }
  | { readonly kind: 'end_pause'; readonly reason: string }
  | { readonly kind: 'set_lanes'; readonly lanes: number; readonly reason: string }
  | { readonly kind: 'set_checks'; readonly runId: bigint; readonly reason: string }
  | { readonly kind: 'start_undo'; readonly reason: string }
  /** What was asked for can no longer be taken back. */
  | { readonly kind: 'drop_undo'; readonly reason: string }
  | { readonly kind: 'fail'; readonly code: string; readonly reason: string }
  | { readonly kind: 'allow_single_writes'; readonly reason: string }
  | { readonly kind: 'stop_single_writes'; readonly reason: string }
  | { readonly kind: 'arm_gate'; readonly reason: string }
  | { readonly kind: 'disarm_gate'; readonly reason: string }
  | { readonly kind: 'latch_gate'; readonly reason: string }
  | { readonly kind: 'start_maintenance'; readonly of: MaintenanceRun['kind']; readonly reason: string }
  | { readonly kind: 'open_maintenance'; readonly run: MaintenanceRun; readonly reason: string }
  | { readonly kind: 'close_maintenance'; readonly run: MaintenanceRun; readonly reason: string }
  | { readonly kind: 'sweep_again'; readonly run: MaintenanceRun; readonly reason: string }
  | {
      readonly kind: 'end_maintenance';
      readonly run: MaintenanceRun;
      readonly state: 'done' | 'failed';
      readonly reason: string;
    }
  /** `epoch` left out: that of the data center. */
  | {
      readonly kind: 'wake_workers';
      readonly job: JobKind;
      readonly want: number;
      readonly epoch?: bigint;
      readonly reason: string;
    };

export interface Decision {
  readonly steps: readonly Step[];
  readonly holds: readonly Hold[];
}

export type ReadCell = Extract<NonNullable<DataCenterSnapshot['cell']>, { kind: 'read' }>;

export const IDLE: Decision = { steps: [], holds: [] };
export const go = (...steps: readonly Step[]): Decision => ({ steps, holds: [] });
export const hold = (...holds: readonly Hold[]): Decision => ({ steps: [], holds });

/**
 * Closed at our epoch or later. A fence closed at an older epoch is not enough: a scheduler that was suspended before
 * it opened the fence could still open it.
 */
export const isClosed = (dc: DataCenterSnapshot, fence: FenceReading): boolean => isClosedAt(dc.epoch ?? 0n, fence);
export const isClosedAt = (epoch: bigint, fence: FenceReading): boolean =>
  fence.state === 'closed' && fence.epoch >= epoch;

/** Nothing done for this long with work pending is an alarm (I23), in ms. */
const STALLED_MS = 120_000;

/** Nothing of ours begins in this cell; undefined: it is not frozen. */
export const frozen = (dc: DataCenterSnapshot): Hold | undefined =>
  dc.cell?.kind === 'read' && dc.cell.freeze !== null
    ? createHold('frozen', byCommand('unfreeze', '--dc', dc.id), dc.cell.freeze.since.toISOString())
    : undefined;

/** An operator paused it; undefined: nobody did. One that ends by itself needs no person. */
export function paused({ id, intent, pause }: DataCenterSnapshot): Hold | undefined {
  if (intent !== 'pause') return undefined;
  const until = pause?.until ?? null;
  const held = createHold('paused', byCommand('resume', '--dc', id), null, until?.toISOString() ?? null);
  return { ...held, needsPerson: until === null };
}

/** Its time has come; a pause without one is ended by a person. */
export const isPauseOver = ({ pause }: Pick<DataCenterSnapshot, 'pause'>, now: Date): boolean =>
  pause !== null && pause.until !== null && pause.until <= now;

/** The cell cannot be worked with: it is not reached, accepts no writes, or its server lacks what the engine needs. */
export function unreachable({ id, cell }: Pick<DataCenterSnapshot, 'id' | 'cell'>): Hold {
  const code = cell?.kind === 'unreachable' ? cell.code : null;
  if (code === 'read_only') return createHold(code, byCommand('doctor'), 'its cell');
  if (code === 'unknown_data_center')
    return createHold(
      'cell_unreachable',
      {
        ...byCommand('remove', '--dc', id),
        after: ', or name it in the configuration again and start the schedulers with it',
      },
      'the configuration does not name it',
    );
  return code === 'server_unsupported'
    ? createHold(code, byCommand('doctor'))
    : createHold('cell_unreachable', byCommand('doctor'), code);
}

/** Our views do not read the source; undefined: they do. */
export const sourceHold = ({ id, cell }: Pick<DataCenterSnapshot, 'id' | 'cell'>): Hold | undefined =>
  cell?.kind !== 'read' || cell.source === 'attached'
    ? undefined
    : createHold(cell.source === 'changed' ? 'source_changed' : 'source_detached', byCommand('init', '--dc', id));

/**
 * Workers are woken, but may make no progress: no worker runs, a worker reports an error, the checks hold, or nothing
 * was done for too long.
 */
export function workHolds(
  dc: DataCenterSnapshot,
  { workersAlive, lastError }: ReadCell,
  run: Pick<RunReading, 'idleMs'>,
  scope: 'write' | 'read' = 'write',
): readonly Hold[] {
  const source = sourceHold(dc);
  if (source !== undefined) return [source];
  if (workersAlive === 0) return [createHold('no_worker', byCommand('worker', '--dc', dc.id), '0', '1')];
  const throttled = throttleHold(dc, run.idleMs, scope);
  const idleMs = Math.min(run.idleMs, msSinceHeld(dc, scope));
  const stalled =
    throttled === undefined && idleMs > STALLED_MS
      ? createHold('stalled', byCommand('doctor'), `${Math.round(idleMs / 1_000)} s`, `${STALLED_MS / 1_000} s`)
      : undefined;
  return [
    ...(lastError === null ? [] : [createHold('cell_trouble', byCommand('doctor'), lastError)]),
    ...[throttled, stalled].filter((held) => held !== undefined),
  ];
}
