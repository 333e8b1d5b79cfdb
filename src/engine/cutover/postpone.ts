// Moves a cut-over when a second person approves it. A crash between the gate of the cell and control leaves the old instant
// standing there.
import { rejectMove } from '../../domain/cutover/cutover.js';
import type { ProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { type ControlTransaction, readControlClock } from '../../stores/control/control-database.js';
import type { DataCenterRow } from '../../stores/control/data-centers.js';
import { readRollout } from '../../stores/control/rollout.js';
import { type ApprovalContext, approveCutoverProposal } from './approve-proposal.js';
import { cutoverRefused, readCellCutover, toFacts } from './cutover-facts.js';
import { armGate, withGateLockRetrying } from './gate.js';
import { type CutoverProposal, makeCutoverProposal, type ProposalContext, type ProposalSpec } from './proposals.js';

/** What was proposed can no longer be done. */
const WITHDRAW = 'Take it back: credit-rollout cutover postpone --dc ID --withdraw --reason TEXT';

/** Throws postponement_unknown, postponement_decided, same_person, cutover_refused; cell_busy while a sign-up holds the gate. */
export function approvePostponement(
  context: ApprovalContext,
  id: ProposalId<'postponement'>,
  reason: string | null,
): Promise<CutoverProposal> {
  return approveCutoverProposal(context, id, reason, async (tx, { row, proposal }) => {
    await moveGate(context, row, proposal, await readControlClock(tx));
    return {};
  });
}

/** An armed gate moves with it, at once and without a scheduler; one that is not armed is armed for the new instant later. */
async function moveGate(
  context: ApprovalContext,
  row: DataCenterRow,
  { toAt, toLocal }: CutoverProposal,
  controlNow: Date,
): Promise<void> {
  const cell = await readCellCutover(context, row.id);
  const refusal = rejectMove(toFacts(row, controlNow, cell), { at: toAt, local: toLocal });
  if (refusal !== undefined) throw cutoverRefused(row.id, 'move', { ...refusal, next: WITHDRAW });
  if (cell.gate.effectiveAt === null) return;
  const cutover = { dataCenter: row.id, configuredAt: toAt, configuredLocal: toLocal };
  const { kind } = await withGateLockRetrying(context.clock, row.id, () => armGate(context, cutover));
  if (kind === 'too_late')
    throw cutoverRefused(row.id, 'move', {
      why: 'its instant came in this moment, and sign-ups have started on credits since',
      next: WITHDRAW,
    });
}

// Proposes another instant for a cut-over. Nothing moves until a second person approves.

/** Throws invalid_instant, cutover_refused, postponement_open. */
export function proposePostponement(context: ProposalContext, spec: ProposalSpec): Promise<CutoverProposal> {
  const { dataCenter } = spec;
  return makeCutoverProposal(context, spec, {
    kind: 'postponement',
    admit: (tx) => rejectUnpinned(tx, dataCenter),
    refuse: async (_tx, { facts, target }) => {
      const refusal = rejectMove(facts, target);
      if (refusal !== undefined) throw cutoverRefused(dataCenter, 'move', refusal);
    },
  });
}

/** Before the first apply an instant is only what the configuration says. */
async function rejectUnpinned(tx: ControlTransaction, dataCenter: string): Promise<void> {
  if ((await readRollout(tx)).pinnedAt !== null) return;
  throw new RolloutError('cutover_refused', {
    message: `The cut-over of data center "${dataCenter}" cannot move: no apply has pinned its instant yet.`,
    next: 'Change signups.cutover in the configuration.',
  });
}
