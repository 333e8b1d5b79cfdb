// Whether the audit is what was recorded: a chain of hashes, each over an entry and the hash before it. Pure: entries,
// gaps and heads come from elsewhere. Who owns the database can write the whole chain anew; a head that was kept
// elsewhere tells.
import { createHash } from 'node:crypto';

/** A link with its entry, or the links whose entries the retention deleted. */
export type ChainPart =
  | {
      readonly kind: 'link';
      readonly link: bigint;
      /** Of the entry in the audit. */
      readonly seq: bigint;
      /** How many entries so far the retention never deletes, this one included. */
      readonly kept: bigint;
      /** The retention may delete the entry. */
      readonly routine: boolean;
      readonly hash: string;
      /** The entry as a canonical text, made of its columns as they are now; null: there is no such entry. */
      readonly text: string | null;
    }
  | { readonly kind: 'gap'; readonly first: bigint; readonly last: bigint; readonly hash: string };

/** The chain up to a link; `hash`: of that link. */
export interface ChainHead {
  readonly link: bigint;
  readonly hash: string;
}

/** A chain is proven up to here. */
export interface ChainState extends ChainHead {
  readonly kept: bigint;
  /** How many entries were compared, and how many the retention had deleted. */
  readonly entries: bigint;
  readonly deleted: bigint;
}

/** The first entry that is not what was recorded. */
export interface ChainBreak {
  readonly kind: 'broken';
  /** From which link on nothing is proven. */
  readonly link: bigint;
  /** Of the entry in the audit; null where there is none. */
  readonly seq: bigint | null;
  /**
   * `rewritten`: the chain is in order, and not the one whose head was kept. `unreachable`: a cell keeps a head that it
   * cannot have.
   */
  readonly code: 'changed' | 'missing' | 'cut' | 'unchained' | 'rewritten' | 'unreachable';
  /** The data center whose cell keeps the head that tells; left out: nobody's or a person's does. */
  readonly keptBy?: string;
}

export type ChainProof = ChainBreak | ({ readonly kind: 'intact' } & ChainState);

export const CHAIN_START: ChainState = { link: 0n, hash: '', kept: 0n, entries: 0n, deleted: 0n };

/** The hash of a link. */
export const hashLink = (before: string, text: string): string =>
  createHash('sha256').update(`${before} ${text}`, 'utf8').digest('hex');

/** The state after one more part, in the order of the links. `heads`: what a person kept. */
export function verifyPart(
  state: ChainState,
  part: ChainPart,
  heads: readonly ChainHead[] = [],
): ChainBreak | ChainState {
  const next = state.link + 1n;
  const [first, last] = part.kind === 'link' ? [part.link, part.link] : [part.first, part.last];
  if (first !== next || last < first) return { kind: 'broken', link: next, seq: null, code: 'missing' };
  const other = heads.find(({ link, hash }) => link === last && hash !== part.hash);
  if (part.kind === 'gap')
    return other === undefined
      ? { ...state, link: last, hash: part.hash, deleted: state.deleted + last - first + 1n }
      : { kind: 'broken', link: last, seq: null, code: 'rewritten' };
  const { seq, text, hash, kept } = part;
  const at = { kind: 'broken', link: last, seq } as const;
  if (text === null) return { ...at, code: 'missing' };
  // an entry that counts would hide in a gap of those that do not
  if (kept !== state.kept + (part.routine ? 0n : 1n)) return { ...at, code: 'missing' };
  if (hash !== hashLink(state.hash, text)) return { ...at, code: 'changed' };
  if (other !== undefined) return { ...at, code: 'rewritten' };
  return { link: last, hash, kept, entries: state.entries + 1n, deleted: state.deleted };
}

/** What is left to say after the last part. `unchained`: the first entry that has no link. */
export function verifyEnd(state: ChainState, { head, unchained, heads = [] }: ChainEnd): ChainProof {
  const past = heads.find(({ link }) => link > state.link);
  if (head.link > state.link || past !== undefined)
    return { kind: 'broken', link: state.link + 1n, seq: null, code: 'cut' };
  if (head.link !== state.link || head.hash !== state.hash)
    return { kind: 'broken', link: head.link, seq: null, code: 'changed' };
  if (unchained !== null) return { kind: 'broken', link: state.link + 1n, seq: unchained, code: 'unchained' };
  return { kind: 'intact', ...state };
}

export interface ChainEnd {
  /** As the database has it. */
  readonly head: ChainHead;
  readonly unchained: bigint | null;
  readonly heads?: readonly ChainHead[];
}
