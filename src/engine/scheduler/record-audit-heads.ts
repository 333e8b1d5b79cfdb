// Has each cell keep the head of the audit's chain, whenever an entry that stays was recorded since: who cuts or
// rewrites the audit of control, or puts an older copy of it in its place, is found by `audit --verify`.
import { listUnaccepted } from '../../domain/operate/lost-heads.js';
import { findNewestAuditHead, recordAuditHead } from '../../stores/cell/audit-heads.js';
import { listAcceptedCuts } from '../../stores/control/accepted-cuts.js';
import { countKeptEntries, listLostHeads } from '../../stores/control/audit-links.js';
import { listDataCenters } from '../../stores/control/data-centers.js';
import { sealAuditHead } from '../../stores/control/seals.js';
import type { EngineContext } from '../context.js';
import { errorCodeOf } from '../database-errors.js';

type HeadsContext = Pick<EngineContext, 'control' | 'cells' | 'log'>;

/** By data center: how many entries there were when its cell got the head. */
export type RecordedHeads = ReadonlyMap<string, bigint>;

/** A cell that fails gets it the next time. Returns what `recorded` is then. */
export async function recordAuditHeads(context: HeadsContext, recorded: RecordedHeads): Promise<RecordedHeads> {
  const { kept, rows } = await context.control.inTransaction(async (tx) => ({
    kept: await countKeptEntries(tx),
    rows: await listDataCenters(tx),
  }));
  const due = rows.filter(({ id }) => recorded.get(id) !== kept);
  const given = await Promise.all(
    due.map(async ({ id }) => {
      try {
        await recordInCell(context, id);
        return [[id, kept] as const];
      } catch (error) {
        context.log.debug('audit_head_not_recorded', { data_center: id, code: errorCodeOf(error) });
        return [];
      }
    }),
  );
  return new Map([...recorded, ...given.flat()]);
}

async function recordInCell({ control, cells, log }: HeadsContext, dataCenter: string): Promise<void> {
  const cell = cells.get(dataCenter);
  const newest = await cell.inTransaction('fencer', findNewestAuditHead);
  const { seal, isKnown } = await control.inTransaction(async (tx) => {
    const lost = newest === undefined ? [] : await listLostHeads(tx, [{ ...newest, dataCenter }]);
    const unknown = lost.length === 0 ? [] : listUnaccepted(lost, await listAcceptedCuts(tx));
    return { isKnown: unknown.length === 0, seal: await sealAuditHead(tx, dataCenter) };
  });
  // what the cell keeps would be the proof: nothing comes after it until a person has seen it
  if (!isKnown) log.warn('audit_head_lost', { data_center: dataCenter, link: String(newest?.link) });
  else if (seal !== undefined) await cell.inTransaction('fencer', (tx) => recordAuditHead(tx, seal));
}
