// What control has lost of what cells keep heads of, as after it was restored from an older copy. Reads only.
import {
  type AcceptedCut,
  type AuditCut,
  type CellHead,
  describeCut,
  groupLost,
  listUnaccepted,
} from '../../domain/operate/lost-heads.js';
import { listAuditHeads } from '../../stores/cell/audit-heads.js';
import { listAcceptedCuts } from '../../stores/control/accepted-cuts.js';
import { findRecordedBefore, listLostHeads, readChainEnd } from '../../stores/control/audit-links.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { listDataCenters } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';

export interface ComparedCells {
  /** Data centers whose cells were compared, and those whose cells could not be read. */
  readonly compared: readonly string[];
  readonly notCompared: readonly string[];
}

/** The heads that cells keep, cell by cell. One that cannot be read stops no other. */
export async function listCellHeads({
  control,
  cells,
}: Pick<EngineContext, 'control' | 'cells'>): Promise<ComparedCells & { readonly kept: readonly CellHead[] }> {
  const rows = await control.inTransaction(listDataCenters);
  const found = await Promise.all(
    rows.map(async ({ id }) => {
      try {
        const heads = await cells.get(id).inTransaction('state', listAuditHeads);
        return { id, heads: heads.map((head): CellHead => ({ ...head, dataCenter: id })) };
      } catch {
        return { id, heads: undefined };
      }
    }),
  );
  return {
    kept: found.flatMap(({ heads }) => heads ?? []),
    compared: found.filter(({ heads }) => heads !== undefined).map(({ id }) => id),
    notCompared: found.filter(({ heads }) => heads === undefined).map(({ id }) => id),
  };
}

/** Those that nobody has accepted, and what was accepted. */
export async function findLostHeads(
  tx: ControlTransaction,
  kept: readonly CellHead[],
): Promise<{ readonly lost: readonly CellHead[]; readonly accepted: readonly AcceptedCut[] }> {
  const accepted = await listAcceptedCuts(tx);
  return { lost: listUnaccepted(await listLostHeads(tx, kept), accepted), accepted };
}

/** Which entries these heads stand for, cell by cell. */
export async function describeCuts(tx: ControlTransaction, lost: readonly CellHead[]): Promise<readonly AuditCut[]> {
  if (lost.length === 0) return [];
  const { head } = await readChainEnd(tx);
  const cuts: AuditCut[] = [];
  for (const { dataCenter, heads, reachable } of groupLost(lost, head.link))
    cuts.push(describeCut(dataCenter, heads, reachable ? await findRecordedBefore(tx, heads[0]) : null));
  return cuts;
}
