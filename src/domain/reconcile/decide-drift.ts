// Decides what to do about one org whose allotment was compared with the rule: heal it, propose a change, or let the
// limits of the night decide. Pure. Never heals a fall of the total by itself, and never one that nothing recorded
// explains.
import { isLowerFloor, type Movement } from '../org/decide-movement.js';
import type { Cause } from './cause.js';
import type { DriftMovement } from './movement.js';
import { type Found, nameCause, type Stored } from './name-cause.js';

export interface ComparedOrg {
  readonly stored: Stored;
  readonly found: Found;
  /** Null: gone. */
  readonly movement: Movement | null;
  /** Credits a day; null: it has none. */
  readonly beforeTotal: bigint | null;
  readonly afterTotal: bigint | null;
  /** The floor that the rule proposes; null: none. */
  readonly proposedFloor: bigint | null;
  /** The stored floor that was raised by manual SQL above what the rule may set; null: it was not. */
  readonly flooredByHand: bigint | null;
  /** What the card of its allotment would do on today's inputs; null: it is the cell's, or does not know the org. */
  readonly ownCard: OwnCard | null;
  /** What an allotment was before it was changed without us; null: nobody did. */
  readonly record: RecordedForm | null;
}

export interface OwnCard {
  readonly movement: Movement;
  readonly total: bigint;
}

/** `unknown`: nothing recorded explains the allotment. */
export type RecordedForm = 'unknown' | { readonly total: bigint; readonly floor: bigint | null };

export interface DecidedDrift {
  readonly cause: Cause;
  readonly movement: DriftMovement;
  readonly proposedFloor: bigint | null;
  /** `fall`, `lapse`, `gone`: the limits of the night decide about all of them together. `card`: a person decides. */
  readonly treatment: 'heal' | 'propose' | 'fall' | 'lapse' | 'gone' | 'card';
  /** What will be written; null: the org is gone. Where its own card gives more than the new one, it stays on that. */
  readonly afterTotal: bigint | null;
}

/** Undefined: the stored allotment is what the rule gives, and there is nothing to propose. */
export function decideDrift(org: ComparedOrg): DecidedDrift | undefined {
  const { movement, stored, found } = org;
  const proposedFloor = org.flooredByHand ?? org.proposedFloor;
  if (movement === 'same' && proposedFloor === null) return undefined;
  const named = movement === 'same' && org.flooredByHand === null ? nameProposal(stored) : nameCause(stored, found);
  const treatment = treat(org, named);
  const cause = treatment === 'card' ? 'rate card' : named;
  return { cause, movement: movement ?? 'gone', proposedFloor, treatment, afterTotal: findAfter(org, treatment) };
}

/** A proposal stands until people decide, under the cause that it had when a night found it. */
const nameProposal = (stored: Stored): Cause =>
  (stored.kind === 'allotment' ? stored.proposedFor : null) ?? 'late input';

function treat(org: ComparedOrg, cause: Cause): DecidedDrift['treatment'] {
  const { movement, beforeTotal, afterTotal, ownCard } = org;
  if (movement === null) return 'gone';
  if (movement === 'same') return 'propose';
  if (movement !== 'fall') return 'heal';
  if (!isExplained(org)) return 'propose';
  // its floor falls and its total rises: for example, it pays again with a lower edition
  if (beforeTotal !== null && afterTotal !== null && afterTotal > beforeTotal) return 'heal';
  // what only the new card lowers is not lowered by a night
  if (ownCard !== null && ownCard.movement !== 'fall') return 'card';
  return cause === 'lapse' ? 'lapse' : 'fall';
}

/** What somebody changed by SQL is taken back, to what was recorded before and no lower. */
function isExplained({ record, afterTotal, found }: ComparedOrg): boolean {
  if (record === null) return true;
  if (record === 'unknown' || found.kind === 'gone' || afterTotal === null) return false;
  return afterTotal >= record.total && !isLowerFloor(found.floor, record.floor);
}

function findAfter({ afterTotal, ownCard }: ComparedOrg, treatment: DecidedDrift['treatment']): bigint | null {
  const falls = treatment === 'fall' || treatment === 'lapse';
  return falls && ownCard !== null && afterTotal !== null && ownCard.total > afterTotal ? ownCard.total : afterTotal;
}
