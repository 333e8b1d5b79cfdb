// Names of proposals: `in-o3` is an override, `in-p3` a repair, `in-c3` a postponement, `in-r2` a reversal, `in-f7`
// falls to accept, `in-a1` a moved cell to adopt and `in-u2` an undo, of the data center `in`. The name of a plan, such
// as `in-7`, is never one of them. `s3` is a change of the policy and `h3` a loss of the audit to accept, which belong
// to no data center.

const LETTERS = {
  override: 'o',
  repair: 'p',
  postponement: 'c',
  reversal: 'r',
  falls: 'f',
  adoption: 'a',
  undo: 'u',
} as const;
const PROPOSAL_KINDS = [
  'override',
  'repair',
  'postponement',
  'reversal',
  'falls',
  'adoption',
  'undo',
] as const satisfies readonly (keyof typeof LETTERS)[];
type ProposalKind = (typeof PROPOSAL_KINDS)[number];

interface Numbered<K> {
  readonly kind: K;
  readonly dataCenter: string;
  /** Its number: from control, or for an override from its cell. */
  readonly proposalId: bigint;
}

/** The parts of a proposal's name. */
export type ProposalId<K extends ProposalKind = ProposalKind> = K extends ProposalKind ? Numbered<K> : never;

export const showProposalId = ({ kind, dataCenter, proposalId }: ProposalId): string =>
  `${dataCenter}-${LETTERS[kind]}${proposalId}`;

/** Undefined: it is not the name of a proposal. */
export function parseProposalId(text: string): ProposalId | undefined {
  const [, dataCenter, letter, number] = /^([a-z][a-z0-9-]*)-([a-z])([1-9]\d{0,17})$/u.exec(text) ?? [];
  const kind = PROPOSAL_KINDS.find((one) => LETTERS[one] === letter);
  if (dataCenter === undefined || number === undefined || kind === undefined) return undefined;
  return { kind, dataCenter, proposalId: BigInt(number) };
}

export const showChangeId = (changeId: bigint): string => `s${changeId}`;

/** The number of a change of the policy; undefined: the text is not the name of one. */
export const parseChangeId = (text: string): bigint | undefined => parseNumbered(/^s([1-9]\d{0,17})$/u, text);

export const showCutId = (cutId: bigint): string => `h${cutId}`;

/** The number of a proposal to accept a cut of the audit; undefined: the text is not the name of one. */
export const parseCutId = (text: string): bigint | undefined => parseNumbered(/^h([1-9]\d{0,17})$/u, text);

function parseNumbered(form: RegExp, text: string): bigint | undefined {
  const [, number] = form.exec(text) ?? [];
  return number === undefined ? undefined : BigInt(number);
}
