// Compares an allotment with the stored one: raise, fall, or neither. Raises are written as soon as they are seen,
// falls only at night. Never decides when.
import type { Allotment } from './allotment.js';

/** `same` writes nothing; `inputs` changes neither the total nor the floor, only what they were computed from. */
export type Movement = 'first' | 'same' | 'raise' | 'fall' | 'inputs';

/** When the total or the floor falls, the movement is a fall, whatever else rises: it must wait for the night. */
export function decideMovement(prior: Allotment | null, next: Allotment): Movement {
  if (prior === null) return 'first';
  if (isSame(prior, next)) return 'same';
  if (next.totalCredits < prior.totalCredits || isLowerFloor(next.floor, prior.floor)) return 'fall';
  if (next.totalCredits > prior.totalCredits || isLowerFloor(prior.floor, next.floor)) return 'raise';
  return 'inputs';
}

/** A missing floor is lower than every floor, even than zero. */
export function isLowerFloor(one: bigint | null, other: bigint | null): boolean {
  return other !== null && (one === null || one < other);
}

function isSame(prior: Allotment, next: Allotment): boolean {
  return STORED.every((column) => prior[column] === next[column]);
}

/** A record, so that the compiler reports a column of Allotment that is missing here. */
const STORED_COLUMNS = {
  edition: 'edition',
  paid: 'paid',
  agents: 'agents',
  lightAgents: 'lightAgents',
  negotiatedLimit: 'negotiatedLimit',
  baseCredits: 'baseCredits',
  variableCredits: 'variableCredits',
  additionalCredits: 'additionalCredits',
  legacyLimit: 'legacyLimit',
  floor: 'floor',
  floorEdition: 'floorEdition',
  unpaidSince: 'unpaidSince',
  grandfatheredCredits: 'grandfatheredCredits',
  totalCredits: 'totalCredits',
  concurrencyLimit: 'concurrencyLimit',
  winner: 'winner',
} as const satisfies { readonly [Column in keyof Allotment]: Column };

const STORED = Object.values(STORED_COLUMNS);
