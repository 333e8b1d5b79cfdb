// Freezes cells by a row of their own: works with queue and control down, and says of each cell how far it has come.
// One cell that cannot be reached never keeps another from being frozen.
import { withTimeout } from '../../kernel/retry.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { listFenceHolders, lockFenceExclusive } from '../../stores/cell/batch/fence.js';
import {
  acknowledgeFreeze,
  type FreezeRow,
  freezeCell,
  readFreeze,
  unfreezeCell,
} from '../../stores/cell/batch/freezes.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import type { LockHolder } from '../../stores/cell/lock-holders.js';
import { appendAudit } from '../../stores/control/audit.js';
import { clearSingleWrites } from '../../stores/control/data-centers.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { explainFailure } from '../database-errors.js';

export interface FreezeRequest {
  readonly dataCenters: readonly string[];
  readonly reason: string | null;
}

export type FreezeReport =
  | ({
      readonly dataCenter: string;
      /** `freezing`: nothing begins any more, but what is named in `holders` has not ended. */
      readonly state: 'frozen' | 'freezing';
      /** It was frozen before; that freeze keeps its reason. */
      readonly already: boolean;
      readonly holders: readonly FenceHolder[];
    } & FreezeRow)
  | { readonly dataCenter: string; readonly state: 'failed'; readonly error: unknown };

export interface Freezing {
  readonly dataCenters: readonly FreezeReport[];
  /** Control's audit has it too; the rows in the cells say who and why in any case. */
  readonly recorded: boolean;
}

/** Never throws for a cell: what went wrong there is its report. Takes three seconds per cell at most, all at once. */
export async function freeze(
  context: Pick<EngineContext, 'cells' | 'control' | 'actor' | 'log' | 'clock'>,
  { dataCenters, reason }: FreezeRequest,
): Promise<Freezing> {
  const reports = await Promise.all(dataCenters.map((id) => freezeOne(context, id, reason)));
  const frozen = reports.flatMap((report) => (report.state === 'failed' || report.already ? [] : [report.dataCenter]));
  const recorded = await tryRecordAudit(context, { action: 'freeze', reason, dataCenters: frozen });
  return { dataCenters: reports, recorded };
}

async function freezeOne(
  context: Pick<EngineContext, 'cells' | 'actor' | 'log'>,
  dataCenter: string,
  reason: string | null,
): Promise<FreezeReport> {
  try {
    const cell = context.cells.get(dataCenter);
    // committed before the fence is asked for: from here on nothing begins, whoever holds the fence and however long
    const begun = await cell.inTransaction('fencer', (tx) => freezeCell(tx, { by: context.actor, reason }));
    await acknowledge(cell);
    const { row, holders } = await cell.inTransaction('fencer', async (tx) => {
      const found = await readFreeze(tx);
      return { row: found, holders: found?.acknowledgedAt === null ? await listFenceHolders(tx) : [] };
    });
    if (row === null)
      throw new RolloutError('conflict', {
        message: `Data center "${dataCenter}": its freeze was lifted by somebody else in the same moment.`,
      });
    context.log.info('frozen', { data_center: dataCenter });
    const state = row.acknowledgedAt === null ? 'freezing' : 'frozen';
    return { dataCenter, state, already: !begun, holders, ...row };
  } catch (error) {
    return { dataCenter, state: 'failed', error: explainFailure(error) };
  }
}

/** The proof: once the fence was held exclusively, all that began before has ended. Not in time: it is tried at the next `freeze`. */
async function acknowledge(cell: CellDatabase): Promise<void> {
  try {
    await cell.inTransaction('fencer', async (tx) => {
      await lockFenceExclusive(tx);
      await acknowledgeFreeze(tx);
    });
  } catch (error) {
    const { kind } = classifyFailure(error);
    if (kind !== 'retry' && kind !== 'too_slow') throw error;
  }
}

// Lifts freezes: what stood still goes on by itself, the next look of a scheduler or worker takes it up.
// One cell that cannot be reached never keeps another from being lifted.

export type UnfreezeReport =
  | { readonly dataCenter: string; readonly state: 'lifted' | 'not_frozen' }
  | { readonly dataCenter: string; readonly state: 'failed'; readonly error: unknown };

export interface Unfreezing {
  readonly dataCenters: readonly UnfreezeReport[];
  /** Control's audit has it too. */
  readonly recorded: boolean;
}

/** Never throws for a cell: what went wrong there is its report. */
export async function unfreeze(
  context: Pick<EngineContext, 'cells' | 'control' | 'actor' | 'log' | 'clock' | 'wakeUps'>,
  { dataCenters, reason }: FreezeRequest,
): Promise<Unfreezing> {
  const reports = await Promise.all(dataCenters.map((id) => unfreezeOne(context, id, reason)));
  const lifted = reports.filter(({ state }) => state === 'lifted').map(({ dataCenter }) => dataCenter);
  const recorded = await tryRecordAudit(context, { action: 'unfreeze', reason, dataCenters: lifted });
  await context.wakeUps.wakeSchedulers();
  return { dataCenters: reports, recorded };
}

async function unfreezeOne(
  context: Pick<EngineContext, 'cells' | 'actor'>,
  dataCenter: string,
  reason: string | null,
): Promise<UnfreezeReport> {
  try {
    const lifted = await context.cells
      .get(dataCenter)
      .inTransaction('fencer', (tx) => unfreezeCell(tx, { by: context.actor, reason }));
    return { dataCenter, state: lifted ? 'lifted' : 'not_frozen' };
  } catch (error) {
    return { dataCenter, state: 'failed', error: explainFailure(error) };
  }
}

// Writes what happened in cells into control's audit where control can be reached. Never fails and never waits for long:
// the rows in the cells are the record, and a control database that is down must not keep anybody from stopping writes.

export interface AuditRecord {
  readonly action: string;
  readonly dataCenters: readonly string[];
  readonly reason: string | null;
}

/** Longest that control is waited for, in ms. */
const TIMEOUT_MS = 2_000;

/** One audit row per data center, or none; false when control could not be asked in time. */
export async function tryRecordAudit(
  context: Pick<EngineContext, 'control' | 'actor' | 'log' | 'clock'>,
  { action, dataCenters, reason }: AuditRecord,
): Promise<boolean> {
  if (dataCenters.length === 0) return true;
  const written = context.control
    .inTransaction(async (tx) => {
      for (const dataCenter of dataCenters) {
        await appendAudit(tx, { actor: context.actor, action, dataCenter, reason });
        // a freeze stopped its change feed: the next look lets it through again
        await clearSingleWrites(tx, dataCenter);
      }
      return true;
    })
    .catch((err) => {
      context.log.debug('audit_lost', { action, err });
      return false;
    });
  return (await withTimeout(context.clock, TIMEOUT_MS, written)) ?? false;
}

// Who keeps a pause from being acknowledged: the sessions in the cell that still hold its fence.

export type FenceHolder = LockHolder;

export async function readFenceHolders(
  context: Pick<EngineContext, 'cells'>,
  dataCenter: string,
): Promise<readonly FenceHolder[]> {
  return context.cells.get(dataCenter).inTransaction('fencer', listFenceHolders);
}
