// How an allotment moves from what is stored: raises are written as soon as seen, falls only at night. Never decides when.
import type { Allotment } from './allotment.js';

/** `same` writes nothing; `inputs` changes neither the total nor the floor, only what they were computed from. */
export type Movement = 'first' | 'same' | 'raise' | 'fall' | 'inputs';

/** A fall of the total or of the floor is a fall, whatever else rises: it must wait for the night. */
export function decideMovement(prior: Allotment | null, next: Allotment): Movement {
  if (prior === null) return 'first';
  if (isSame(prior, next)) return 'same';
  if (next.totalCredits < prior.totalCredits || isLowerFloor(next.floor, prior.floor)) return 'fall';
  if (next.totalCredits > prior.totalCredits || isLowerFloor(prior.floor, next.floor)) return 'raise';
  return 'inputs';
}

/** No floor is lower than any floor, zero included. */
export function isLowerFloor(one: bigint | null, other: bigint | null): boolean {
  return other !== null && (one === null || one < other);
}

function isSame(prior: Allotment, next: Allotment): boolean {
  return STORED.every((column) => prior[column] === next[column]);
}

/** Written as a record, so that the compiler asks for a column that is added to Allotment. */
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
