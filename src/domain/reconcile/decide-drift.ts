// Decides what to do about one org whose allotment was compared with the rule: heal it, propose a change, or let the
// limits of the night decide. Pure. Never heals a fall of the total by itself.
import type { Movement } from '../org/decide-movement.js';
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
  /** `another`: the allotment was computed with a card that is no longer the cell's. */
  readonly card: 'same' | 'another';
}

export interface DecidedDrift {
  readonly cause: Cause;
  readonly movement: DriftMovement;
  readonly proposedFloor: bigint | null;
  /** `fall`, `lapse`, `gone`: the limits of the night decide about all of them together. */
  readonly treatment: 'heal' | 'propose' | 'fall' | 'lapse' | 'gone';
}

/** Undefined: the stored allotment is what the rule gives, and there is nothing to propose. */
export function decideDrift(org: ComparedOrg): DecidedDrift | undefined {
  const { movement, stored, found } = org;
  const proposedFloor = org.flooredByHand ?? org.proposedFloor;
  if (movement === 'same' && proposedFloor === null) return undefined;
  const cause = nameCause(stored, found);
  return { cause, movement: movement ?? 'gone', proposedFloor, treatment: treat(org, cause) };
}

function treat({ movement, beforeTotal, afterTotal, card }: ComparedOrg, cause: Cause): DecidedDrift['treatment'] {
  if (movement === null) return 'gone';
  if (movement === 'same') return 'propose';
  if (movement !== 'fall') return 'heal';
  // its floor falls and its total rises: for example, it pays again with a lower edition
  if (beforeTotal !== null && afterTotal !== null && afterTotal > beforeTotal) return 'heal';
  // falls by a new card need a plan and an approval
  if (card === 'another') return 'propose';
  return cause === 'lapse' ? 'lapse' : 'fall';
}
