// How much of a duration was work and how much was waiting, and for what. Pure.
import { HOLD_CODES, type HoldCode } from './hold.js';

export interface LoggedHold {
  readonly code: string;
  readonly since: Date;
  /** Null: it is held now. */
  readonly until: Date | null;
}

export interface SplitDuration {
  /** Nothing held it, in ms. */
  readonly activeMs: number;
  readonly heldMs: number;
  /** By code, the longest first; an instant with several holds counts for the first of them in their order. */
  readonly held: readonly { readonly code: string; readonly ms: number }[];
}

export interface Span {
  readonly from: Date;
  readonly to: Date;
}

/** What stands beside the work of a rollout, or is work. */
const NOT_WAITING: readonly HoldCode[] = [
  'planning',
  'maintenance_slot_taken',
  'maintenance_failed',
  'cutover_late',
  'gate_busy',
];
const ORDER: ReadonlyMap<string, number> = new Map(HOLD_CODES.map((code, index) => [code, index]));
const isWaiting = ({ code }: LoggedHold): boolean => !NOT_WAITING.some((one) => one === code);

/** A span that ends before it begins is empty. */
export function splitDuration({ from, to }: Span, holds: readonly LoggedHold[]): SplitDuration {
  const end = Math.max(from.getTime(), to.getTime());
  const spans = holds
    .filter(isWaiting)
    .map(({ code, since, until }) => ({
      code,
      from: Math.max(since.getTime(), from.getTime()),
      to: Math.min(until?.getTime() ?? end, end),
    }))
    .filter((span) => span.from < span.to)
    .toSorted((one, other) => placeOf(one.code) - placeOf(other.code));
  const edges = [...new Set(spans.flatMap((span) => [span.from, span.to]))].toSorted((one, other) => one - other);
  const byCode = new Map<string, number>();
  for (const [index, edge] of edges.entries()) {
    const next = edges[index + 1];
    const first = spans.find((span) => span.from <= edge && span.to > edge);
    if (next !== undefined && first !== undefined) byCode.set(first.code, (byCode.get(first.code) ?? 0) + next - edge);
  }
  const held = [...byCode].map(([code, ms]) => ({ code, ms })).toSorted((one, other) => other.ms - one.ms);
  const heldMs = held.reduce((sum, { ms }) => sum + ms, 0);
  return { activeMs: end - from.getTime() - heldMs, heldMs, held };
}

const placeOf = (code: string): number => ORDER.get(code) ?? ORDER.size;
