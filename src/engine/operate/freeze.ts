// Freezes cells by a row of their own, and lifts freezes. Works while the queue and control are down, and reports for
// each cell how far it has come. A cell that cannot be reached does not stop the others.
import { withTimeout } from '../../kernel/retry.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { listFenceHolders, lockFenceExclusive } from '../../stores/cell/batch/fence.js';
import {
  acknowledgeFreeze,
  type FreezeChange,
  type FreezeRow,
  freezeCell,
  readFreeze,
  unfreezeCell,
} from '../../stores/cell/batch/freezes.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import type { LockHolder } from '../../stores/cell/lock-holders.js';
import { appendAudit } from '../../stores/control/audit.js';
import { clearSingleWrites } from '../../stores/control/data-centers.js';
import { identifyPerson } from '../../stores/control/person.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { explainFailure, nameReadFailure } from '../database-errors.js';

export interface FreezeRequest {
  readonly dataCenters: readonly string[];
  readonly reason: string | null;
}

interface FailedReport {
  readonly dataCenter: string;
  readonly state: 'failed';
  readonly error: unknown;
}

export type FreezeReport =
  | ({
      readonly dataCenter: string;
      /** `freezing`: nothing begins any more, but the sessions in `holders` have not ended. */
      readonly state: 'frozen' | 'freezing';
      /** It was frozen before; that freeze stays with its reason. */
      readonly already: boolean;
      readonly holders: readonly LockHolder[];
    } & FreezeRow)
  | FailedReport;

export type UnfreezeReport = { readonly dataCenter: string; readonly state: 'lifted' | 'not_frozen' } | FailedReport;

interface Reports<R> {
  readonly dataCenters: readonly R[];
  /** Control's audit has it too; the rows in the cells have who and why in any case. */
  readonly recorded: boolean;
}

/** A failure in a cell is that cell's report. Takes at most three seconds: all cells at once. */
export async function freeze(
  context: Pick<EngineContext, 'cells' | 'control' | 'actor' | 'log' | 'clock'>,
  { dataCenters, reason }: FreezeRequest,
): Promise<Reports<FreezeReport>> {
  const by = await findName(context);
  const reports = await Promise.all(dataCenters.map((id) => freezeOne(context, id, { by, reason })));
  const frozen = reports.flatMap((report) => (report.state === 'failed' || report.already ? [] : [report.dataCenter]));
  const recorded = await tryRecordAudit(context, { action: 'freeze', reason, dataCenters: frozen });
  return { dataCenters: reports, recorded };
}

/** Control may be down, and nobody who freezes waits for it longer. */
const NAME_TIMEOUT_MS = 1_500;

/** The person, as control's audit will name them; null: control does not answer, and the cell takes its login. */
async function findName({
  control,
  actor,
  clock,
}: Pick<EngineContext, 'control' | 'actor' | 'clock'>): Promise<string | null> {
  const known = control
    .inTransaction((tx) => identifyPerson(tx, actor))
    .then(
      ({ name }) => name,
      () => null,
    );
  return (await withTimeout(clock, NAME_TIMEOUT_MS, known)) ?? actor;
}

async function freezeOne(
  context: Pick<EngineContext, 'cells' | 'log'>,
  dataCenter: string,
  change: FreezeChange,
): Promise<FreezeReport> {
  try {
    const cell = context.cells.get(dataCenter);
    // committed before the fence is locked: from here on nothing begins, whoever holds the fence and however long
    const begun = await cell.inTransaction('state', (tx) => freezeCell(tx, change));
    await tryAcknowledge(cell);
    const { row, holders } = await cell.inTransaction('state', async (tx) => {
      const found = await readFreeze(tx);
      return { row: found, holders: found?.acknowledgedAt === null ? await listFenceHolders(tx) : [] };
    });
    if (row === null)
      throw new RolloutError('conflict', {
        message: `Data center "${dataCenter}": its freeze was lifted by somebody else at the same moment.`,
      });
    context.log.info('frozen', { data_center: dataCenter });
    const state = row.acknowledgedAt === null ? 'freezing' : 'frozen';
    return { dataCenter, state, already: !begun, holders, ...row };
  } catch (error) {
    return { dataCenter, state: 'failed', error: explainFailure(error) };
  }
}

/**
 * Once the fence was locked exclusively, everything that began before has ended. Else the next `freeze` tries again.
 */
async function tryAcknowledge(cell: CellDatabase): Promise<void> {
  try {
    await cell.inTransaction('state', async (tx) => {
      await lockFenceExclusive(tx);
      await acknowledgeFreeze(tx);
    });
  } catch (error) {
    const { kind } = classifyFailure(error);
    if (kind !== 'retry' && kind !== 'too_slow') throw error;
  }
}

/** What stood still goes on at the next poll of a scheduler or worker. A failure in a cell is that cell's report. */
export async function unfreeze(
  context: Pick<EngineContext, 'cells' | 'control' | 'actor' | 'log' | 'clock' | 'wakeUps'>,
  { dataCenters, reason }: FreezeRequest,
): Promise<Reports<UnfreezeReport>> {
  const by = await findName(context);
  const reports = await Promise.all(dataCenters.map((id) => unfreezeOne(context, id, { by, reason })));
  const lifted = reports.filter(({ state }) => state === 'lifted').map(({ dataCenter }) => dataCenter);
  const recorded = await tryRecordAudit(context, { action: 'unfreeze', reason, dataCenters: lifted });
  await context.wakeUps.wakeSchedulers();
  return { dataCenters: reports, recorded };
}

async function unfreezeOne(
  context: Pick<EngineContext, 'cells'>,
  dataCenter: string,
  change: FreezeChange,
): Promise<UnfreezeReport> {
  try {
    const lifted = await context.cells.get(dataCenter).inTransaction('state', (tx) => unfreezeCell(tx, change));
    return { dataCenter, state: lifted ? 'lifted' : 'not_frozen' };
  } catch (error) {
    return { dataCenter, state: 'failed', error: explainFailure(error) };
  }
}

interface AuditedFreeze {
  readonly action: 'freeze' | 'unfreeze';
  readonly dataCenters: readonly string[];
  readonly reason: string | null;
}

/** A control database that is down must not stop anybody from freezing. */
const AUDIT_TIMEOUT_MS = 2_000;

/** One audit row per data center. False when control failed or did not answer in time; never rejects. */
async function tryRecordAudit(
  context: Pick<EngineContext, 'control' | 'actor' | 'log' | 'clock'>,
  { action, dataCenters, reason }: AuditedFreeze,
): Promise<boolean> {
  if (dataCenters.length === 0) return true;
  const written = context.control
    .inTransaction(async (tx) => {
      for (const dataCenter of dataCenters) {
        await appendAudit(tx, { action, dataCenter, reason });
        // a freeze stops the change feed of the cell: the next tick lets it write again
        await clearSingleWrites(tx, dataCenter);
      }
      return true;
    })
    .catch((error: unknown) => {
      context.log.debug('audit_not_recorded', { action, code: nameReadFailure(error) });
      return false;
    });
  return (await withTimeout(context.clock, AUDIT_TIMEOUT_MS, written)) ?? false;
}
