// Decides an org's floor: sets, keeps, raises, lowers or ends it. Source: docs/reference/domain.md, "The floor". The
// SQL function credit_rollout.decided has the same rule: change both together. A property test compares them.

import { formatCredits } from '../../kernel/format-credits.js';
import type { RateCard } from '../rate-card/rate-card.js';
import { daysBetween } from '../time/days-between.js';
import type { Allotment } from './allotment.js';
import type { AssessedOrg } from './assess-org.js';

/** The sign-up gate of the org's data center, and what it recorded for this org. */
export interface GateView {
  /** The instant of the cut-over; null while the gate is not armed: then every org is before it. */
  readonly effectiveAt: Date | null;
  /** When the cut-over was swept; null while the window is open. */
  readonly sweptAt: Date | null;
  /** When the gate decided this org's sign-up, by the cell's clock; null when it was not asked. */
  readonly decidedAt: Date | null;
  /** What it decided, whichever cut-over was in effect then; null or left out: it was not asked. */
  readonly model?: 'credits' | 'legacy' | null;
  /** When earlier cut-overs were in effect that were reversed; left out: none. */
  readonly reversedPeriods?: readonly ReversedPeriod[];
}

/** The time for which a reversed cut-over was in effect. Orgs that signed up in it stay on credits. */
export interface ReversedPeriod {
  readonly effectiveAt: Date;
  readonly reversedAt: Date;
}

export interface FloorQuestion {
  readonly org: AssessedOrg;
  readonly card: RateCard;
  readonly prior: Allotment | null;
  readonly gate: GateView;
  /** Local date of the data center, YYYY-MM-DD. */
  readonly today: string;
  readonly lapseGraceDays: number;
}

export interface FloorAnswer {
  readonly floor: bigint | null;
  readonly floorEdition: string | null;
  readonly unpaidSince: string | null;
  /** A floor that people must approve; null: nothing to propose. */
  readonly proposedFloor: bigint | null;
  /** Sentences for `why`: which rules applied. */
  readonly because: readonly string[];
}

/** The stored floor before today's rules; null when it ended or never existed. */
interface RemainingFloor {
  readonly floor: bigint | null;
  readonly because: readonly string[];
}

export function decideFloor(question: FloorQuestion): FloorAnswer {
  const { org, prior } = question;
  if (!org.paid) return suspendFloor(question);
  return prior === null ? setFirstFloor(question) : carryFloor(question, prior);
}

/** An unpaid org gets no floor. One that it had is suspended until it lapses. */
function suspendFloor(question: FloorQuestion): FloorAnswer {
  const { prior, today } = question;
  const remaining = readRemaining(question);
  const unpaidSince = prior?.unpaidSince ?? today;
  const suspended =
    remaining.floor === null ? [] : [`It has been unpaid since ${unpaidSince}: the floor counts again when it pays.`];
  const none = prior?.floor === null || prior === null ? ['It is unpaid: no floor is set.'] : [];
  return {
    floor: remaining.floor,
    floorEdition: remaining.floor === null ? null : (prior?.floorEdition ?? null),
    unpaidSince,
    proposedFloor: null,
    because: [...remaining.because, ...suspended, ...none],
  };
}

function setFirstFloor(question: FloorQuestion): FloorAnswer {
  const { org } = question;
  const paid = { unpaidSince: null, proposedFloor: null };
  if (!isBeforeCutover(question)) {
    const because = ['It signed up at or after the cut-over: no floor.'];
    return { ...paid, floor: null, floorEdition: null, because };
  }
  const because = ['First decision of a paid org from before the cut-over: the floor is its legacy limit.'];
  return { ...paid, floor: org.legacyLimit, floorEdition: org.edition, because };
}

/** Rule 3 first, then rule 1: a lower edition may lower the floor, then an open window may raise it again. */
function carryFloor(question: FloorQuestion, prior: Allotment): FloorAnswer {
  const { org } = question;
  const remaining = readRemaining(question);
  const below = ranksBelow(question, prior.floorEdition) && remaining.floor !== null;
  const lowered = below ? lesser(remaining.floor, org.legacyLimit) : remaining.floor;
  const floor = isRaisable(question, lowered) ? org.legacyLimit : lowered;
  const kept = floor === remaining.floor && !below;
  const proposal = proposeFloor(question, prior, floor);
  const because = [
    ...remaining.because,
    ...(below && lowered !== null ? [explainLowered(remaining.floor, lowered, prior.floorEdition)] : []),
    ...explainCarried(question, remaining.floor, lowered, floor),
    ...(proposal === null ? [] : [proposal.because]),
  ];
  const floorEdition = kept ? prior.floorEdition : org.edition;
  const proposedFloor = proposal?.floor ?? null;
  return { floor, floorEdition: floor === null ? null : floorEdition, unpaidSince: null, proposedFloor, because };
}

function readRemaining({ prior, today, lapseGraceDays }: FloorQuestion): RemainingFloor {
  if (prior === null) return { floor: null, because: [] };
  const lapsed = prior.unpaidSince !== null && daysBetween(prior.unpaidSince, today) > lapseGraceDays;
  if (!lapsed || prior.floor === null) return { floor: prior.floor, because: [] };
  const ended = `the floor of ${formatCredits(prior.floor)} ended`;
  const because = `It was unpaid since ${prior.unpaidSince}, for more than ${lapseGraceDays} days: ${ended}.`;
  return { floor: null, because: [because] };
}

function isBeforeCutover({ gate, org }: FloorQuestion): boolean {
  const { effectiveAt, decidedAt, model = null, reversedPeriods = [] } = gate;
  if (effectiveAt === null && reversedPeriods.length === 0) return true;
  if (model !== null) return model === 'legacy';
  const at = decidedAt ?? org.createdAt;
  if (reversedPeriods.some((period) => at >= period.effectiveAt && at < period.reversedAt)) return false;
  return effectiveAt === null || at < effectiveAt;
}

const mayRaise = (question: FloorQuestion): boolean => question.gate.sweptAt === null && isBeforeCutover(question);

/**
 * In the open window: a missing floor, or one below the legacy limit. The formula may raise it to at most twice its
 * value.
 */
function isRaisable(question: FloorQuestion, floor: bigint | null): boolean {
  if (!mayRaise(question)) return false;
  const { legacyLimit, negotiatedLimit } = question.org;
  if (floor === null) return true;
  return legacyLimit > floor && (negotiatedLimit !== null || legacyLimit - floor <= floor);
}

/** No edition ranks below one that the card no longer has. */
function ranksBelow({ org, card }: FloorQuestion, floorEdition: string | null): boolean {
  const recorded = floorEdition === null ? undefined : card.editions.get(floorEdition);
  return recorded !== undefined && org.rank < recorded.rank;
}

interface Proposal {
  readonly floor: bigint;
  readonly because: string;
}

function proposeFloor(question: FloorQuestion, prior: Allotment, floor: bigint | null): Proposal | null {
  const { legacyLimit, negotiatedLimit } = question.org;
  if (legacyLimit === floor) return null;
  const legacy = formatCredits(legacyLimit);
  if (mayRaise(question) && floor !== null && legacyLimit > floor) {
    const because = `The formula gives ${legacy}, more than twice the floor: proposed, not applied.`;
    return { floor: legacyLimit, because };
  }
  if (question.gate.sweptAt === null || negotiatedLimit === prior.negotiatedLimit) return null;
  const because = `The negotiated limit changed after the sweep: a floor of ${legacy} is proposed, not applied.`;
  return { floor: legacyLimit, because };
}

function explainLowered(from: bigint, to: bigint, edition: string | null): string {
  if (to === from) return `The edition is below ${edition}, but the legacy limit is not below the floor.`;
  return `The edition is below ${edition}: the floor falls from ${formatCredits(from)} to ${formatCredits(to)}.`;
}

function explainCarried(
  question: FloorQuestion,
  remaining: bigint | null,
  lowered: bigint | null,
  floor: bigint | null,
): readonly string[] {
  if (floor === null) return [explainMissing(question)];
  if (lowered === null) return ['The window is open: the missing floor is set to the legacy limit.'];
  const from = formatCredits(lowered);
  if (floor > lowered) return [`The window is open: the floor is raised from ${from} to the legacy limit.`];
  return floor === remaining ? ['The floor is kept.'] : [];
}

function explainMissing(question: FloorQuestion): string {
  if (!isBeforeCutover(question)) return 'It signed up at or after the cut-over: no floor.';
  return 'It has no floor, and after the sweep only a first decision sets one.';
}

function lesser(one: bigint, other: bigint): bigint {
  if (one < other) return one;
  return other;
}
