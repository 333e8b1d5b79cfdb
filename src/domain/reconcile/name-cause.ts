// Names why an org's allotment is not what its inputs give: one cause each, the first that holds. Pure; decides nothing
// about what is written. Source: protocol (g) and the last column of life-of-an-org.
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
      /** Unpaid for longer than the grace: a floor that it still holds has ended. */
      readonly lapsed: boolean;
      /** `edited`: its present form is somebody's SQL; `restored`: it is older than its own record. */
      readonly mark: 'none' | 'edited' | 'restored';
    })
  | {
      readonly kind: 'none';
      /** Whether it had one: `retired` by us, `deleted` by somebody's SQL, `lost` without a record. */
      readonly earlier: 'never' | 'retired' | 'deleted' | 'lost';
      /** A run set it aside before. */
      readonly quarantined: boolean;
    };

/** What its source and the rule say now. */
export type Found =
  | (ComparedInputs & {
      readonly kind: 'org';
      /** `legacy`, `credits`: what the gate recorded. Without a record: whether its sign-up was before the data center's
       *  rollout, after that, or while a cut-over held, one that was taken back since included. Matters only where nothing
       *  is stored. */
      readonly signedUp: 'legacy' | 'credits' | 'before_rollout' | 'before_cutover' | 'after_cutover';
    })
  | { readonly kind: 'gone' };

type StoredAllotment = Extract<Stored, { readonly kind: 'allotment' }>;
type FoundOrg = Extract<Found, { readonly kind: 'org' }>;

/** The cause of a drift. Call it only where the rule gives something else than what is stored. */
export function nameCause(stored: Stored, found: Found): Cause {
  if (found.kind === 'gone') return 'gone';
  if (stored.kind === 'none') return nameArrival(stored, found);
  // the database lets a floor fall only by these two names
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

/** Of several changes the one that weighs most: payment, then edition, then contract, seats, purchases. */
function nameChange(stored: StoredAllotment, found: FoundOrg): Cause {
  if (stored.paid && !found.paid) return 'lapse';
  if (!stored.paid && found.paid) return stored.floor === null ? 'paid' : 'return';
  if (stored.edition !== found.edition) return 'edition';
  if (stored.negotiatedLimit !== found.negotiatedLimit) return 'late input';
  if (stored.agents !== found.agents) return 'seats';
  if (stored.additionalCredits !== found.additionalCredits) return 'purchase';
  if (stored.lightAgents !== found.lightAgents) return 'seats';
  // the same inputs: a floor that the open window owed it, or terms that nobody recorded a change of
  return isLowerFloor(stored.floor, found.floor) ? 'late input' : 'manual edit';
}
