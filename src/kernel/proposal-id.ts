// How a proposal is named among data centers: `in-o3` is an override, `in-c3` a postponement, `in-r2` a reversal of the data
// center `in`. A plan's name never ends like that.

const LETTERS = { override: 'o', postponement: 'c', reversal: 'r' } as const;
const PROPOSAL_KINDS = ['override', 'postponement', 'reversal'] as const satisfies readonly (keyof typeof LETTERS)[];
type ProposalKind = (typeof PROPOSAL_KINDS)[number];

interface Numbered<K> {
  readonly kind: K;
  readonly dataCenter: string;
  /** The number among its kind: in control, or in its cell where it is an override. */
  readonly proposalId: bigint;
}

/** Of any kind, or of these. */
export type ProposalId<K extends ProposalKind = ProposalKind> = K extends ProposalKind ? Numbered<K> : never;

export const showProposalId = ({ kind, dataCenter, proposalId }: ProposalId): string =>
  `${dataCenter}-${LETTERS[kind]}${proposalId}`;

/** Undefined: it is no proposal's name. */
export function parseProposalId(text: string): ProposalId | undefined {
  const [, dataCenter, letter, number] = /^([a-z][a-z0-9-]*)-([a-z])([1-9]\d{0,17})$/u.exec(text) ?? [];
  const kind = PROPOSAL_KINDS.find((one) => LETTERS[one] === letter);
  if (dataCenter === undefined || number === undefined || kind === undefined) return undefined;
  return { kind, dataCenter, proposalId: BigInt(number) };
}
