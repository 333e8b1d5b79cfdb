// Finds why an org's allotment is not what its inputs give: one cause, the first that applies. Pure. Never decides what
// is written. Source: the last column of docs/reference/life-of-an-org.md.
import { isLowerFloor } from '../org/decide-movement.js';
import type { CompleteInputs } from '../source/org-inputs.js';
import type { Cause } from './cause.js';

/** The inputs of an allotment, and its floor. Credits and calls are per day. */
export interface ComparedInputs extends CompleteInputs {
  readonly floor: bigint | null;
}

/** What is stored for an org. */
export type Stored =
  | (ComparedInputs & {
      readonly kind: 'allotment';
      /** Unpaid for longer than the grace: its stored floor has ended. */
      readonly lapsed: boolean;
      /** `edited`: manual SQL wrote it; `restored`: it is older than its record in the history. */
      readonly mark: 'none' | 'edited' | 'restored';
      /** `another`: it was computed with a card that is no longer the cell's. */
      readonly card: 'same' | 'another';
      /** The cause of the newest floor that a nightly run proposed for it; null: none did. */
      readonly proposedFor: Cause | null;
    })
  | {
      readonly kind: 'none';
      /** Whether it had one: `retired` by us, `deleted` by manual SQL, `lost` without a record. */
      readonly earlier: 'never' | 'retired' | 'deleted' | 'lost';
      /** An earlier run put it in quarantine. */
      readonly quarantined: boolean;
    };

/** What its source and the rule give now. */
export type Found =
  | (ComparedInputs & {
      readonly kind: 'org';
      /**
       * `legacy`, `credits`: what the gate recorded. The others, without a record, say when the sign-up was: before the
       * data center's rollout, after that but before a cut-over, or while a cut-over held, also one that was reversed
       * since. It matters only where nothing is stored.
       */
      readonly signedUp: 'legacy' | 'credits' | 'before_rollout' | 'before_cutover' | 'after_cutover';
    })
  | { readonly kind: 'gone' };

type StoredAllotment = Extract<Stored, { readonly kind: 'allotment' }>;
type FoundOrg = Extract<Found, { readonly kind: 'org' }>;

/** The cause of a drift. Call it only where the stored allotment is not what the rule gives. */
export function nameCause(stored: Stored, found: Found): Cause {
  if (found.kind === 'gone') return 'gone';
  if (stored.kind === 'none') return nameArrival(stored, found);
  // the database accepts a lower floor only with these two causes
  if (isLowerFloor(found.floor, stored.floor)) return stored.lapsed ? 'lapse' : 'edition';
  if (stored.mark === 'restored') return 'restored backup';
  if (stored.mark === 'edited') return 'manual edit';
  return nameChange(stored, found);
}

function nameArrival({ earlier, quarantined }: Extract<Stored, { kind: 'none' }>, { signedUp }: FoundOrg): Cause {
  if (earlier === 'lost') return 'restored backup';
  if (earlier === 'retired') return 'return';
  if (earlier === 'deleted') return 'manual edit';
  if (quarantined) return 'release';
  switch (signedUp) {
    case 'legacy':
    case 'before_cutover':
      return 'legacy sign-up';
    case 'credits':
    case 'after_cutover':
      return 'missed sign-up';
    case 'before_rollout':
      return 'late input';
  }
}

/** Of several changes the most important one: payment, then edition, contract, seats, purchases. */
function nameChange(stored: StoredAllotment, found: FoundOrg): Cause {
  if (stored.paid && !found.paid) return 'lapse';
  if (!stored.paid && found.paid) return stored.floor === null ? 'paid' : 'return';
  if (stored.edition !== found.edition) return 'edition';
  if (stored.negotiatedLimit !== found.negotiatedLimit) return 'late input';
  if (stored.agents !== found.agents) return 'seats';
  if (stored.additionalCredits !== found.additionalCredits) return 'purchase';
  if (stored.lightAgents !== found.lightAgents) return 'seats';
  // the same inputs: a floor that the open window should have set, a new card, or terms that changed without a record
  if (isLowerFloor(stored.floor, found.floor)) return 'late input';
  return stored.card === 'another' ? 'rate card' : 'manual edit';
}
