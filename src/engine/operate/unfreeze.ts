// Lifts freezes: what stood still goes on by itself, the next look of a scheduler or worker takes it up.
// One cell that cannot be reached never keeps another from being lifted.
import { unfreezeCell } from '../../stores/cell/batch/freezes.js';
import type { EngineContext } from '../context.js';
import { explainFailure } from '../database-errors.js';
import type { FreezeRequest } from './freeze.js';
import { noteInControl } from './note-in-control.js';

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
  context: Pick<EngineContext, 'cells' | 'control' | 'actor' | 'log' | 'clock' | 'bells'>,
  { dataCenters, reason }: FreezeRequest,
): Promise<Unfreezing> {
  const reports = await Promise.all(dataCenters.map((id) => unfreezeOne(context, id, reason)));
  const lifted = reports.filter(({ state }) => state === 'lifted').map(({ dataCenter }) => dataCenter);
  const recorded = await noteInControl(context, { action: 'unfreeze', reason, dataCenters: lifted });
  await context.bells.wakeSchedulers();
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
    return { dataCenter, state: 'failed', error: explainFailure(error, `Data center "${dataCenter}"`) };
  }
}
