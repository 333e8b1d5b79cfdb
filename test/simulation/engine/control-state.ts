// What the control database of the simulation holds.
import type { DueRow } from '../../../src/domain/calendar/due-work.js';
import type { ApprovalRow } from '../../../src/stores/control/approvals.js';
import type { DataCenterRow } from '../../../src/stores/control/data-centers.js';
import type { HoldRow } from '../../../src/stores/control/holds.js';
import type { RegisteredPlan } from '../../../src/stores/control/plans.js';
import type { ControlRun } from '../../../src/stores/control/runs.js';
import type { UndoRequest } from '../../../src/stores/control/undo-requests.js';
import type { Database, Transaction } from './database.js';

export interface SimulatedRun extends ControlRun {
  readonly epoch: bigint;
  readonly shutEpoch: bigint | null;
}

export interface SimulatedDue extends DueRow {
  readonly dataCenter: string;
  readonly startedAt: Date | null;
  readonly runId: bigint | null;
}

export interface SimulatedUndo extends UndoRequest {
  readonly isEnded: boolean;
}

export interface ControlState {
  epoch: bigint;
  policy: ReadonlyMap<string, string | number>;
  dataCenters: readonly DataCenterRow[];
  runs: readonly SimulatedRun[];
  plans: readonly RegisteredPlan[];
  approvals: readonly ApprovalRow[];
  due: readonly SimulatedDue[];
  undos: readonly SimulatedUndo[];
  holds: ReadonlyMap<string, readonly HoldRow[]>;
  failed: readonly {
    readonly dataCenter: string;
    readonly step: string;
    readonly code: string;
    readonly times: number;
  }[];
}

export type ControlDb = Database<ControlState>;
export type ControlTx = Transaction<ControlState>;

const NOTHING_KNOWN = {
  ...{ pausedAt: null, pausedBy: null, pauseReason: null, pausedUntil: null },
  ...{ lanes: null, lanesBy: null, lanesAt: null, requestedAt: null, requestedBy: null, requestReason: null },
  ...{ planId: null, settings: null, runId: null, epoch: null, stage: 'pending' as const, intent: 'run' as const },
  ...{ fenceConfirmedClosed: true, verifiedAt: null, bakeUntil: null, failure: null, undoFailed: false, doneAt: null },
  ...{ singleWrites: false, notBeforeAt: null, notBeforeLocal: null, cutoverAt: null, cutoverLocal: null },
  ...{ cutoverSetAt: null, gateConfiguredAt: null, gateEffectiveAt: null, gateLatchedAt: null, gateSweptAt: null },
  ...{ adoption: null, version: 1, revision: 1, zone: 'UTC' },
} as const satisfies Omit<DataCenterRow, 'id' | 'position' | 'stageSince'>;

/** Data centers at rest, in their order. */
export const emptyControl = (ids: readonly string[], now: Date): ControlState => ({
  epoch: 0n,
  policy: new Map<string, string | number>([
    ['reconcile.at', '03:00'],
    ['rollout.approval', 'auto'],
    ['rollout.guardRails.quarantinedShare', 1],
  ]),
  dataCenters: ids.map((id, position) => ({ ...NOTHING_KNOWN, id, position, stageSince: now })),
  ...{ runs: [], plans: [], approvals: [], due: [], undos: [], failed: [] },
  holds: new Map(),
});
