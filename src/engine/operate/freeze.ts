// Freezes cells by a row of their own: works with queue and control down, and says of each cell how far it has come.
// One cell that cannot be reached never keeps another from being frozen.
import { RolloutError } from '../../kernel/rollout-error.js';
import { listFenceHolders, lockFenceExclusive } from '../../stores/cell/batch/fence.js';
import { acknowledgeFreeze, type FreezeRow, freezeCell, readFreeze } from '../../stores/cell/batch/freezes.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';
import { explainFailure } from '../database-errors.js';
import type { FenceHolder } from './list-fence-holders.js';
import { noteInControl } from './note-in-control.js';

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
  const recorded = await noteInControl(context, { action: 'freeze', reason, dataCenters: frozen });
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
    return { dataCenter, state: 'failed', error: explainFailure(error, `Data center "${dataCenter}"`) };
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
