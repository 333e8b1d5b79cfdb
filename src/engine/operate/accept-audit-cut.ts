// A person accepts what control has lost of its audit: each head that a cell keeps of it, and none that is not lost.
import { type AuditCut, type CellHead, splitCut } from '../../domain/operate/lost-heads.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { acceptCut } from '../../stores/control/accepted-cuts.js';
import { identifyPerson } from '../../stores/control/person.js';
import type { EngineContext } from '../context.js';
import { describeCuts, findLostHeads, listCellHeads } from './lost-heads.js';

type CutContext = Pick<EngineContext, 'control' | 'cells'>;

/** What there is to accept, cell by cell; `dc`: of this one only. Throws invalid_argument where nothing is lost. */
export async function findAuditCuts(context: CutContext, dc?: string): Promise<readonly AuditCut[]> {
  const kept = await listKept(context, dc);
  return context.control.inTransaction((tx) => findCuts(tx, kept));
}

async function listKept(context: CutContext, dc: string | undefined): Promise<readonly CellHead[]> {
  const { kept } = await listCellHeads(context);
  return kept.filter(({ dataCenter }) => dc === undefined || dataCenter === dc);
}

/** Accepts it, with what is lost by then: an entry of the audit for each cell. Throws as findAuditCuts. */
export async function acceptAuditCuts(
  context: CutContext & Pick<EngineContext, 'actor'>,
  reason: string,
  dc?: string,
): Promise<readonly AuditCut[]> {
  const kept = await listKept(context, dc);
  return context.control.inTransaction(async (tx) => {
    await identifyPerson(tx, context.actor);
    const cuts = await findCuts(tx, kept);
    for (const cut of cuts) for (const part of splitCut(cut)) await acceptCut(tx, part, reason);
    return cuts;
  });
}

async function findCuts(...[tx, kept]: Parameters<typeof findLostHeads>): Promise<readonly AuditCut[]> {
  const { lost } = await findLostHeads(tx, kept);
  if (lost.length > 0) return describeCuts(tx, lost);
  throw new RolloutError('invalid_argument', {
    message: 'Control has every entry of the audit that cells keep heads of: there is nothing to accept.',
    next: 'Leave --accept-cut out.',
  });
}
