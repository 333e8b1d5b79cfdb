// What the rule gives for an org on today's inputs, and when that would be written. Pure; writes nothing.
import type { Allotment } from '../../domain/org/allotment.js';
import type { Movement } from '../../domain/org/decide-movement.js';
import { decideOrg } from '../../domain/org/decide-org.js';
import { explainDecision } from '../../domain/org/explain-org.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import type { QuarantineReason } from '../../domain/source/org-inputs.js';
import { formatCredits } from '../../kernel/format-credits.js';
import type { AllotmentChange, OrgRecord, StoredOrg } from '../../stores/cell/org/orgs.js';
import type { SourceReading } from '../../stores/cell/org/source-org.js';
import { type AllotmentDifference, listDifferences } from './list-differences.js';

/**
 * When a change is written: raises as soon as they are found, falls and changes of inputs alone only by the nightly
 * run.
 */
export type WrittenWhen = 'never' | 'at_once' | 'nightly';

export type Recompute =
  | {
      readonly kind: 'decided';
      readonly movement: Movement;
      readonly when: WrittenWhen;
      readonly allotment: Allotment;
      /** Against the stored row; empty for a first decision. */
      readonly changes: readonly AllotmentDifference[];
      /** A floor that people must approve; null: nothing to propose. */
      readonly proposedFloor: bigint | null;
      readonly summary: string;
      readonly lines: readonly string[];
    }
  | {
      readonly kind: 'quarantine';
      readonly reason: QuarantineReason;
      readonly summary: string;
      readonly lines: readonly string[];
    }
  /** It has left the source. */
  | { readonly kind: 'gone'; readonly summary: string; readonly lines: readonly string[] }
  /** Its source row cannot even be read. */
  | { readonly kind: 'unreadable'; readonly summary: string; readonly lines: readonly string[] };

export interface RecomputeQuestion {
  readonly source: SourceReading;
  readonly record: OrgRecord;
  /** The card that the cell decides with now. */
  readonly card: RateCard;
  /** Local date of the data center, YYYY-MM-DD. */
  readonly today: string;
  readonly lapseGraceDays: number;
}

/** Decides the org as an apply or a nightly run would now. */
export function recomputeOrg(question: RecomputeQuestion): Recompute {
  const { source, record, card, today, lapseGraceDays } = question;
  if (source.kind === 'gone') return GONE;
  if (source.kind === 'unreadable') return UNREADABLE;
  const { stored, gate, signUp, reversals: reversedPeriods } = record;
  const retired = findRetired(record);
  const prior = stored?.allotment ?? retired;
  const decision = decideOrg({
    inputs: source.org,
    card,
    prior,
    priorState: retired === null ? 'stored' : 'retired',
    ...(stored !== null && { priorCard: stored.rateCard }),
    gate: { ...gate, decidedAt: signUp?.decidedAt ?? null, model: signUp?.model ?? null, reversedPeriods },
    today,
    lapseGraceDays,
  });
  const lines = explainDecision(decision, card);
  if (decision.kind === 'quarantine') {
    const summary = `recompute now: undecidable (${decision.reason}); it keeps what it has`;
    return { kind: 'quarantine', reason: decision.reason, summary, lines };
  }
  const { allotment, proposedFloor, movement } = decision;
  const changes = stored === null || prior === null ? [] : listDifferences(prior, allotment);
  const summary = summarize(movement, allotment, stored, changes);
  return { kind: 'decided', movement, when: WHEN[movement], allotment, changes, proposedFloor, summary, lines };
}

/** What the org had when it was retired or somebody deleted it; null: it is stored, or never was. */
function findRetired({ stored, history }: Pick<OrgRecord, 'stored' | 'history'>): Allotment | null {
  const [newest] = history;
  return stored === null && newest !== undefined && isRetirement(newest) ? newest.before : null;
}

/** Not what an undo took away. */
export const isRetirement = ({ operation, cause }: Pick<AllotmentChange, 'operation' | 'cause'>): boolean =>
  operation === 'delete' && cause !== 'undo';

const GONE: Recompute = {
  kind: 'gone',
  summary: 'recompute now: not possible; it has left the source and keeps its allotment until a nightly run retires it',
  lines: [],
};
const UNREADABLE: Recompute = {
  kind: 'unreadable',
  summary: 'recompute now: not possible; its source row cannot be read, so it keeps what it has',
  lines: [],
};

const WHEN: Readonly<Record<Movement, WrittenWhen>> = {
  same: 'never',
  first: 'at_once',
  raise: 'at_once',
  fall: 'nightly',
  inputs: 'nightly',
};

function summarize(
  movement: Movement,
  next: Allotment,
  stored: StoredOrg | null,
  changes: readonly AllotmentDifference[],
): string {
  const now = `recompute now: ${formatCredits(next.totalCredits)}`;
  const before = describeBefore(next, stored);
  switch (movement) {
    case 'same':
      return `${now} ✔ unchanged`;
    case 'first':
      return `${now}, not written yet: the next apply or nightly run writes it`;
    case 'raise':
      return `${now}${before}: rises at once by the next apply or nightly run`;
    case 'fall':
      return `${now}${before}: falls in the nightly run`;
    default:
      return `${now} ✔ the same number; ${nameChanges(changes)} will be updated by the nightly run`;
  }
}

const nameChanges = (changes: readonly AllotmentDifference[]): string =>
  changes.map(({ column }) => column).join(', ') || 'its rate card';

/** The total that is stored, and the floor where it moves. */
function describeBefore(next: Allotment, stored: StoredOrg | null): string {
  if (stored === null) return '';
  const { totalCredits, floor } = stored.allotment;
  const total = totalCredits === next.totalCredits ? 'the same total' : `stored ${formatCredits(totalCredits)}`;
  const moved = floor === next.floor ? '' : `, floor ${nameFloor(floor)} → ${nameFloor(next.floor)}`;
  return ` (${total}${moved})`;
}

const nameFloor = (floor: bigint | null): string => (floor === null ? 'none' : formatCredits(floor));
