// What control has lost of the heads that cells keep, and what two people accepted of that. Pure. Each head stands for
// itself, with the cell that keeps it: nobody's word about one cell says anything about another.
import type { ChainBreak, ChainHead } from './verify-chain.js';

/** A head that a cell keeps. */
export interface CellHead extends ChainHead {
  readonly dataCenter: string;
  readonly keptAt: Date;
}

/** Heads of one cell that control no longer has. */
export interface AuditCut {
  readonly dataCenter: string;
  readonly heads: readonly ChainHead[];
  /** The first link that is missing or another, and the highest of the heads. */
  readonly from: bigint;
  readonly to: bigint;
  /** How many that is; null: the audit cannot have reached these links, so the cell keeps what nobody recorded. */
  readonly entries: bigint | null;
}

/** As it is in the audit. */
export interface AcceptedCut {
  readonly dataCenter: string | null;
  readonly heads: readonly { readonly link: string; readonly hash: string }[];
  readonly from: string | null;
  readonly to: string | null;
  readonly entries: string | null;
  readonly at: Date;
  /** Who approved it. */
  readonly by: string;
  /** Who proposed it; null: an earlier version, which let one person accept. */
  readonly author: string | null;
  readonly reason: string | null;
}

/** A head with the data center whose cell keeps it. */
export type NamedHead = ChainHead & Pick<CellHead, 'dataCenter'>;

const nameHead = (
  dataCenter: string | null,
  { link, hash }: { readonly link: string | bigint; readonly hash: string },
) => `${dataCenter} ${link}:${hash}`;

/** Those that nobody accepted as lost. */
export function listUnaccepted<Head extends CellHead>(
  heads: readonly Head[],
  cuts: readonly AcceptedCut[],
): readonly Head[] {
  const accepted = new Set(cuts.flatMap((cut) => cut.heads.map((head) => nameHead(cut.dataCenter, head))));
  return heads.filter((head) => !accepted.has(nameHead(head.dataCenter, head)));
}

/** Further than an audit comes from one copy of control to the next: a thousand entries a second for eleven days. */
const REACHABLE = 1_000_000_000n;

const isReachable = ({ link }: ChainHead, head: bigint): boolean => link <= head + REACHABLE;

/**
 * Lost heads of one cell, the lowest first, as one cut. `recorded`: the link up to which the chain is older than the
 * lowest; null: they are out of reach.
 */
export function describeCut(dataCenter: string, lost: readonly ChainHead[], recorded: bigint | null): AuditCut {
  const [lowest, to] = [lost[0]?.link ?? 0n, lost.at(-1)?.link ?? 0n];
  const heads = lost.map(({ link, hash }) => ({ link, hash }));
  if (recorded === null) return { dataCenter, heads, from: lowest, to, entries: null };
  const from = recorded < lowest ? recorded + 1n : lowest;
  return { dataCenter, heads, from, to, entries: to - from + 1n };
}

/** An entry of the audit has at most 100,000 bytes. */
const MOST_HEADS = 500;

/** The same in parts, each of which one entry of the audit holds. */
export function splitCut(cut: AuditCut): readonly AuditCut[] {
  const parts: AuditCut[] = [];
  for (let at = 0; at < cut.heads.length; at += MOST_HEADS) {
    const before = cut.heads[at - 1]?.link;
    const recorded = cut.entries === null ? null : (before ?? cut.from - 1n);
    parts.push(describeCut(cut.dataCenter, cut.heads.slice(at, at + MOST_HEADS), recorded));
  }
  return parts;
}

/** As the database has it: what is more is another proposal. */
const MOST_PARTS = 100;

/** What one proposal names of all that is lost. */
export const planCut = (cuts: readonly AuditCut[]): readonly AuditCut[] => cuts.flatMap(splitCut).slice(0, MOST_PARTS);

/** Whether what is lost now is exactly what was proposed, head by head. */
export function isSameLoss(proposed: readonly NamedHead[], parts: readonly AuditCut[]): boolean {
  const named = new Set(proposed.map((head) => nameHead(head.dataCenter, head)));
  const now = new Set(parts.flatMap(({ dataCenter, heads }) => heads.map((head) => nameHead(dataCenter, head))));
  return named.size === now.size && [...now].every((name) => named.has(name));
}

export interface CellLoss {
  readonly dataCenter: string;
  readonly heads: readonly [CellHead, ...CellHead[]];
  readonly reachable: boolean;
}

/** By cell, and what the audit cannot have reached by itself. `head`: the link of control's head. */
export function groupLost(lost: readonly CellHead[], head: bigint): readonly CellLoss[] {
  const cells = [...new Set(lost.map(({ dataCenter }) => dataCenter))];
  return cells.flatMap((dataCenter) =>
    [true, false].flatMap((reachable): readonly CellLoss[] => {
      const [first, ...rest] = lost.filter(
        (one) => one.dataCenter === dataCenter && isReachable(one, head) === reachable,
      );
      return first === undefined ? [] : [{ dataCenter, heads: [first, ...rest], reachable }];
    }),
  );
}

/** A cell that keeps no new head until the audit is longer than what it keeps, as after an accepted loss. */
export interface SilentCell {
  readonly dataCenter: string;
  /** The first link whose head it would keep. */
  readonly until: bigint;
}

/** `head`: the link of control's head. */
export function listSilent(kept: readonly CellHead[], head: bigint): readonly SilentCell[] {
  const newest = new Map<string, bigint>();
  for (const { dataCenter, link } of kept) if (link > (newest.get(dataCenter) ?? head)) newest.set(dataCenter, link);
  return [...newest].map(([dataCenter, link]) => ({ dataCenter, until: link + 1n }));
}

/** What lost heads say of a chain that is in order up to `head`; undefined: there are none. */
export function breakByCuts(head: bigint, lost: readonly CellHead[]): ChainBreak | undefined {
  const lowest = lost.reduce<CellHead | undefined>((low, one) => (low && low.link <= one.link ? low : one), undefined);
  if (lowest === undefined) return undefined;
  const { link, dataCenter: keptBy } = lowest;
  if (link <= head) return { kind: 'broken', link, seq: null, code: 'rewritten', keptBy };
  const code = isReachable(lowest, head) ? 'cut' : 'unreachable';
  return { kind: 'broken', link: head + 1n, seq: null, code, keptBy };
}
