// `remove`: takes a data center out of the fleet. Our schema stays in its cell; history stays in control. Refuses while
// something is under way, unless the cell is lost: then what was under way there ends as aborted.
import { type Advice, advise, command } from '../../kernel/advice.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { lockFenceExclusive, saveFenceClosed } from '../../stores/cell/batch/fence.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { readGate, saveGateDisarmed } from '../../stores/cell/cutover/gate.js';
import { appendAudit } from '../../stores/control/audit.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { type DataCenterRow, listDataCenters, removeDataCenter } from '../../stores/control/data-centers.js';
import { identifyPerson } from '../../stores/control/person.js';
import { requireControlOwner } from '../../stores/control/roles.js';
import type { EngineContext } from '../context.js';
import { lockKnownDataCenter, lockSeenDataCenter, type SeenRevision } from '../data-center.js';
import { explainFailure } from '../database-errors.js';
import { listCellRefusals, listControlRefusals, type RemovalRefusal, rejectRemoval } from './removal-refusals.js';
import { bringBack } from './uninstall-cell.js';

type RemovalContext = Pick<EngineContext, 'control' | 'cells' | 'actor' | 'wakeUps'>;

export interface RemovalRequest extends SeenRevision {
  readonly dataCenter: string;
  /** `lost`: its cell cannot be reached any more, and nobody asks it. */
  readonly cell: 'asked' | 'lost';
}

export interface RemovalPreview extends Omit<RemovalRequest, 'revision'> {
  readonly revision: number;
  readonly stage: DataCenterRow['stage'];
  /** Data centers after it in the order, which do not wait for it any more. */
  readonly later: readonly string[];
  /** Why it is refused now; none: it is not. */
  readonly refusals: readonly RemovalRefusal[];
}

/** Changes nothing. Throws unknown_data_center, not_permitted. */
export async function previewRemoval(context: RemovalContext, request: RemovalRequest): Promise<RemovalPreview> {
  const ofCell = await askCell(context, request);
  return context.control.inTransaction(async (tx) => {
    await requireControlOwner(tx);
    const row = await lockKnownDataCenter(tx, request.dataCenter);
    return {
      ...request,
      revision: row.revision,
      stage: row.stage,
      later: await listLater(tx, row),
      refusals: [...(await readControl(tx, request, row)), ...ofCell],
    };
  });
}

/** Throws unknown_data_center, not_permitted, revision_changed, removal_refused. */
export async function removeFromFleet(
  context: RemovalContext,
  { reason, ...request }: RemovalRequest & { readonly reason: string },
): Promise<Omit<RemovalPreview, 'refusals' | 'revision'>> {
  const { dataCenter, cell } = request;
  rejectRemoval(dataCenter, await askCell(context, request));
  const removed = await context.control.inTransaction(async (tx) => {
    await requireControlOwner(tx);
    await identifyPerson(tx, context.actor);
    const row = await lockSeenDataCenter(tx, dataCenter, request);
    rejectRemoval(dataCenter, await readControl(tx, request, row));
    const later = await listLater(tx, row);
    await removeDataCenter(tx, dataCenter, 'as_it_is');
    await appendAudit(tx, { action: 'remove_data_center', dataCenter, reason, details: { stage: row.stage, cell } });
    return { dataCenter, cell, stage: row.stage, later };
  });
  if (cell === 'asked') await closeCell(context, dataCenter);
  await context.wakeUps.deleteQueue(dataCenter);
  await context.wakeUps.wakeSchedulers();
  return removed;
}

async function readControl(
  tx: ControlTransaction,
  { cell }: RemovalRequest,
  row: DataCenterRow,
): Promise<readonly RemovalRefusal[]> {
  return cell === 'lost' ? [] : listControlRefusals(tx, row);
}

async function listLater(tx: ControlTransaction, row: DataCenterRow): Promise<readonly string[]> {
  const rows = await listDataCenters(tx);
  return rows.filter(({ position }) => position > row.position).map(({ id }) => id);
}

/** What the cell says; a cell that answers is not lost. */
async function askCell({ cells }: RemovalContext, request: RemovalRequest): Promise<readonly RemovalRefusal[]> {
  const { dataCenter, cell } = request;
  try {
    const found = await cells.get(dataCenter).asOwner((tx) => listCellRefusals(tx, dataCenter));
    return cell === 'asked'
      ? found
      : [{ found: 'its cell answers, so it is not lost', next: advise`Run it without --cell-lost` }];
  } catch (error) {
    if (cell === 'lost') return [];
    return [{ found: `its cell cannot be asked (${describe(error)})`, next: lostCell(dataCenter) }];
  }
}

const describe = (error: unknown): string => {
  const known = explainFailure(error);
  return known instanceof RolloutError ? known.code : 'internal';
};

const lostCell = (id: string): Advice =>
  advise`Name it in the configuration and repeat it; if its database is gone for good, run: ${command`remove --dc ${id} --cell-lost --execute --reason TEXT`}`;

/** The change feed writes nothing more, and a cut-over that was armed does not happen. */
async function closeCell(context: RemovalContext, dataCenter: string): Promise<void> {
  try {
    await context.cells.get(dataCenter).asOwner(async (tx) => {
      await lockFenceExclusive(tx);
      rejectRemoval(dataCenter, await listCellRefusals(tx, dataCenter));
      await saveFenceClosed(tx, null);
      await disarm(tx);
    });
  } catch (error) {
    await bringBack(context, dataCenter);
    throw error;
  }
}

async function disarm(tx: CellTransaction): Promise<void> {
  if ((await readGate(tx)).effectiveAt !== null) await saveGateDisarmed(tx);
}
