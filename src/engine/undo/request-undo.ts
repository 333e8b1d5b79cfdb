// `undo --execute`: has the cell compute and keep exactly what is to be undone, and asks for it. One person may where
// no paid org falls; else a second person approves that plan by its digest, and then it is asked for.
import { advise, command } from '../../kernel/advice.js';
import { type ProposalId, showProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import {
  acceptUndo,
  beginUndoPlan,
  findUndoPlan,
  finishUndoPlan,
  planUndoRange,
  type UndoPlan,
  withdrawUndo,
} from '../../stores/cell/undo/undo-plans.js';
import { appendAudit } from '../../stores/control/audit.js';
import { decideCellProposal, findCellProposal, insertCellProposal } from '../../stores/control/cell-proposals.js';
import { identifyPerson } from '../../stores/control/person.js';
import { sealUndoApproval } from '../../stores/control/seals.js';
import { endUndoRequest, findOpenUndo, insertUndoRequest } from '../../stores/control/undo-requests.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { Seal } from '../../stores/seal.js';
import { lockKnownDataCenter } from '../data-center.js';
import { requireSecondPerson } from '../two-person-rule.js';
import {
  emptyReport,
  previewUndo,
  readOlder,
  readUndoable,
  rejectUndoNow,
  type UndoContext,
  type UndoQuestion,
  type UndoReport,
} from './preview-undo.js';

const STATEMENT_MS = 30_000;

/** Throws undo_refused, undo_outdated, source_changed. */
export async function requestUndo(
  context: UndoContext,
  question: UndoQuestion & { readonly reason: string },
  onProgress: (orgs: number) => void = () => undefined,
): Promise<UndoReport> {
  const { dataCenter, reason } = question;
  const preview = await previewUndo(context, question, onProgress);
  if (preview.state === 'nothing') return preview;
  const author = await context.control.inTransaction((tx) => identifyPerson(tx, context.actor));
  const cell = context.cells.get(dataCenter);
  const begun = await cell.inTransaction('override', (tx) => beginUndoPlan(tx, { author: author.name, reason }));
  if (begun === undefined) return { ...preview, state: 'nothing' };
  for (let range = 1; range <= begun.ranges; range += 1)
    await cell.inTransaction('override', (tx) => planUndoRange(tx, begun.undoId, range), {
      statementMs: STATEMENT_MS,
    });
  const digest = await cell.inTransaction('override', (tx) => finishUndoPlan(tx, begun.undoId));
  const found = await cell.inTransaction('override', (tx) => findUndoPlan(tx, begun.undoId));
  if (digest === undefined || found === undefined) throw outdated(dataCenter);
  const key = { dataCenter, kind: 'undo', proposalId: begun.undoId, digest } as const;
  const named = { undoId: showProposalId(key), author: author.name, reason, digest, counts: found.counts };
  const details = detailsOf(named.undoId, found);
  if (found.counts.paidFalls > 0) {
    await context.control.inTransaction(async (tx) => {
      await identifyPerson(tx, context.actor);
      await insertCellProposal(tx, key);
      await appendAudit(tx, { action: 'propose_undo', dataCenter, reason, details });
    });
    return { ...preview, ...named, state: 'proposed' };
  }
  await accept(context, { ...key, reason }, null, details);
  return { ...preview, ...named, state: 'requested' };
}

/** Throws undo_unknown, undo_refused, undo_outdated, same_person. */
export async function approveUndo(
  context: UndoContext,
  id: ProposalId<'undo'>,
  reason: string | null,
): Promise<UndoReport> {
  const { dataCenter } = id;
  const row = await readUndoable(context, dataCenter);
  const found = await context.cells.get(dataCenter).inTransaction('override', (tx) => findUndoPlan(tx, id.proposalId));
  const digest = found?.plan.digest;
  if (found === undefined || digest == null) throw unknown(id, 'is not in its cell');
  if (found.plan.state !== 'made') throw unknown(id, `is ${found.plan.state} already`);
  const key = { ...id, digest };
  const details = detailsOf(showProposalId(id), found);
  const person = await context.control.inTransaction(async (tx) => {
    const approver = await identifyPerson(tx, context.actor);
    const known = await findCellProposal(tx, key);
    if (known === undefined) throw unknown(id, 'as it is in its cell is not known to control');
    requireSecondPerson(`The undo ${showProposalId(id)}`, known.author, approver);
    if (!(await decideCellProposal(tx, key, 'approved'))) throw unknown(id, 'was withdrawn already');
    await appendAudit(tx, { action: 'approve', dataCenter, reason, details });
    return approver;
  });
  // in another transaction: only what is committed is sealed
  const seal = await context.control.inTransaction((tx) => sealUndoApproval(tx, key));
  if (seal === undefined) throw unknown(id, 'was withdrawn already');
  await accept(context, { ...key, reason: found.plan.reason }, seal, details);
  const { author, undoes } = found.plan;
  const older = await readOlder(context, dataCenter, undoes);
  const named = { ...older, undoId: showProposalId(id), undoes, author, approver: person.name, digest };
  return { ...emptyReport(row), ...named, state: 'requested', reason: found.plan.reason, counts: found.counts };
}

/** Withdraws an undo that no run carries out yet. Throws undo_unknown. */
export async function withdrawOpenUndo(
  context: UndoContext,
  id: ProposalId<'undo'>,
  reason: string,
): Promise<UndoReport> {
  const { dataCenter } = id;
  const cell = context.cells.get(dataCenter);
  const found = await cell.inTransaction('override', (tx) => findUndoPlan(tx, id.proposalId));
  if (found === undefined || !(await cell.inTransaction('override', (tx) => withdrawUndo(tx, id.proposalId))))
    throw unknown(id, 'is not in its cell, or was run or withdrawn');
  const row = await context.control.inTransaction(async (tx) => {
    await identifyPerson(tx, context.actor);
    const locked = await lockKnownDataCenter(tx, dataCenter);
    const { digest } = found.plan;
    const key = digest === null ? undefined : ({ ...id, digest } as const);
    if (key !== undefined && (await findCellProposal(tx, key))?.state === 'proposed')
      await decideCellProposal(tx, key, 'withdrawn');
    const open = await findOpenUndo(tx, dataCenter);
    if (open?.undoId === id.proposalId) await endUndoRequest(tx, open.requestId);
    await appendAudit(tx, {
      action: 'withdraw_undo',
      dataCenter,
      reason,
      details: detailsOf(showProposalId(id), found),
    });
    return locked;
  });
  const { author, undoes } = found.plan;
  const named = { undoId: showProposalId(id), author, undoes, reason, counts: found.counts };
  return { ...emptyReport(row), ...named, state: 'withdrawn' };
}

interface AcceptedUndo {
  readonly dataCenter: string;
  readonly proposalId: bigint;
  readonly digest: string;
  readonly reason: string;
}

type Details = ReturnType<typeof detailsOf>;

/** The cell first: control asks for nothing that a cell has not accepted. */
async function accept(
  context: UndoContext,
  { dataCenter, proposalId, digest, reason }: AcceptedUndo,
  seal: Seal | null,
  details: Details,
): Promise<void> {
  await context.cells
    .get(dataCenter)
    .inTransaction('override', (tx) => acceptUndo(tx, proposalId, seal))
    .catch((error: unknown) => {
      throw classifyFailure(error).ours === 'undo_outdated' ? outdated(dataCenter, error) : error;
    });
  await context.control.inTransaction(async (tx) => {
    await identifyPerson(tx, context.actor);
    await rejectUndoNow(tx, await lockKnownDataCenter(tx, dataCenter));
    await insertUndoRequest(tx, { dataCenter, undoId: proposalId, digest, reason });
    await appendAudit(tx, { action: 'undo', dataCenter, reason, details });
  });
  await context.wakeUps.wakeSchedulers();
}

const detailsOf = (
  undo: string,
  { plan, counts }: { readonly plan: Pick<UndoPlan, 'undoes'>; readonly counts: UndoReport['counts'] },
) => ({ undo, undoes: String(plan.undoes), orgs: counts.orgs, falls: counts.paidFalls, conflicts: counts.conflicts });

const unknown = (id: ProposalId<'undo'>, why: string): RolloutError =>
  new RolloutError('undo_unknown', {
    message: `The undo ${showProposalId(id)} ${why}.`,
    next: advise`See what can be undone: ${command`undo --dc ${id.dataCenter}`}`,
  });

const outdated = (dataCenter: string, cause?: unknown): RolloutError =>
  new RolloutError('undo_outdated', {
    message: `What was to be undone in data center "${dataCenter}" has changed since, or is older than 72 hours.`,
    next: advise`Ask for it again: ${command`undo --dc ${dataCenter} --execute --reason TEXT`}`,
    cause,
  });
