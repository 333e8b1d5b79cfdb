// How a branch is packed into one number: the place of its edition in the card, and flags. Packs in SQL, unpacks in
// TypeScript.
import type { SqlValues } from '../../query.js';

/** Bits of the flags. */
export const PLAN_FLAGS = { paid: 1, legacy: 2, purchased: 4, lightAgents: 8, negotiated: 16 } as const;

/** The branch of a group: place of its edition × 256 + flags. */
export const branchNo = (group: { readonly editionNo: number; readonly flags: number }): number =>
  group.editionNo * 256 + group.flags;

const editionName = (place: number): string => `edition_${place}`;

/** The parameters of `branchOfPlanned`: one for each edition, in the order of their places. */
export const editionValues = (editions: readonly string[]): SqlValues =>
  Object.fromEntries(editions.map((edition, index) => [editionName(index + 1), edition]));

/**
 * Place of the edition of `d`, from 1; 0: the card has none of that name. One parameter for each, because Postgres
 * turns them into constants, and comparing with constants is the cheapest lookup.
 */
const placeOf = (editions: readonly string[]): string => {
  const places = editions.map((_, index) => `when :${editionName(index + 1)}::text then ${index + 1}`);
  return `case d.edition ${places.join(' ')} else 0 end`;
};

const flagsOf = (legacy: string): string =>
  `d.paid::int | case when ${legacy} then 2 else 0 end | case when d.additional_credits > 0 then 4 else 0 end
      | case when d.light_agents > 0 then 8 else 0 end | case when d.negotiated_limit is not null then 16 else 0 end`;

/** The flags of the branch of a row `d` of the rule. */
export const flagsOfRow = flagsOf('d.grandfathered_credits > 0');

/** The number of the branch of a row `d` of `planned`. Its parameters: `editionValues`. */
export const branchOfPlanned = (editions: readonly string[]): string =>
  `(${placeOf(editions)}) << 8 | ${flagsOf(`d.winner = 'legacy'`)}`;
