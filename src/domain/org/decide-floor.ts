// The promise: sets, keeps, raises, lowers and ends an org's floor. Source: domain.md, "The floor". The SQL view
// credit_rollout.decided states the same rule; a change here is a change there, and a property test holds the two together.

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
  /** What it decided, whatever line held then; null or left out: it was not asked. */
  readonly model?: 'credits' | 'legacy' | null;
  /** Cut-overs that were taken back; left out: none. */
  readonly earlierLines?: readonly EarlierLine[];
}

/** A cut-over that was reversed: who signed up while it held stays on credits. */
export interface EarlierLine {
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
  /** Which rule did it, for `why`. */
  readonly because: readonly string[];
}

/** What is left of the earlier floor before today's rules: null when it ended or never was. */
interface Resting {
  readonly floor: bigint | null;
  readonly because: readonly string[];
}

export function decideFloor(question: FloorQuestion): FloorAnswer {
  const { org, prior } = question;
  if (!org.paid) return restFloor(question);
  return prior === null ? setFirstFloor(question) : carryFloor(question, prior);
}

/** The unpaid are promised nothing, but a floor they had rests until it lapses. */
function restFloor(question: FloorQuestion): FloorAnswer {
  const { prior, today } = question;
  const resting = readResting(question);
  const unpaidSince = prior?.unpaidSince ?? today;
  const rests = resting.floor === null ? [] : [`It is unpaid since ${unpaidSince}: the floor rests.`];
  const none = prior?.floor === null || prior === null ? ['It is unpaid: no floor is set.'] : [];
  return {
    floor: resting.floor,
    floorEdition: resting.floor === null ? null : (prior?.floorEdition ?? null),
    unpaidSince,
    proposedFloor: null,
    because: [...resting.because, ...rests, ...none],
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

/** Rule 3 first, then rule 1: an edition may lower the floor, an open window may raise it again. */
function carryFloor(question: FloorQuestion, prior: Allotment): FloorAnswer {
  const { org } = question;
  const resting = readResting(question);
  const below = ranksBelow(question, prior.floorEdition) && resting.floor !== null;
  const lowered = below ? lesser(resting.floor, org.legacyLimit) : resting.floor;
  const floor = isRaisable(question, lowered) ? org.legacyLimit : lowered;
  const kept = floor === resting.floor && !below;
  const proposal = proposeFloor(question, prior, floor);
  const because = [
    ...resting.because,
    ...(below && lowered !== null ? [explainLowered(resting.floor, lowered, prior.floorEdition)] : []),
    ...explainCarried(question, resting.floor, lowered, floor),
    ...(proposal === null ? [] : [proposal.because]),
  ];
  const floorEdition = kept ? prior.floorEdition : org.edition;
  const proposedFloor = proposal?.floor ?? null;
  return { floor, floorEdition: floor === null ? null : floorEdition, unpaidSince: null, proposedFloor, because };
}

function readResting({ prior, today, lapseGraceDays }: FloorQuestion): Resting {
  if (prior === null) return { floor: null, because: [] };
  const lapsed = prior.unpaidSince !== null && daysBetween(prior.unpaidSince, today) > lapseGraceDays;
  if (!lapsed || prior.floor === null) return { floor: prior.floor, because: [] };
  const because = `Unpaid since ${prior.unpaidSince}, more than ${lapseGraceDays} days: the floor of ${formatCredits(prior.floor)} ended.`;
  return { floor: null, because: [because] };
}

function isBeforeCutover({ gate, org }: FloorQuestion): boolean {
  const { effectiveAt, decidedAt, model = null, earlierLines = [] } = gate;
  if (effectiveAt === null && earlierLines.length === 0) return true;
  if (model !== null) return model === 'legacy';
  const at = decidedAt ?? org.createdAt;
  if (earlierLines.some((line) => at >= line.effectiveAt && at < line.reversedAt)) return false;
  return effectiveAt === null || at < effectiveAt;
}

const mayRaise = (question: FloorQuestion): boolean => question.gate.sweptAt === null && isBeforeCutover(question);

/** In the open window: a missing floor, or one below the legacy limit; by the formula at most to twice its height. */
function isRaisable(question: FloorQuestion, floor: bigint | null): boolean {
  if (!mayRaise(question)) return false;
  const { legacyLimit, negotiatedLimit } = question.org;
  if (floor === null) return true;
  return legacyLimit > floor && (negotiatedLimit !== null || legacyLimit - floor <= floor);
}

/** An edition that the card no longer has ranks nowhere, so nothing is below it. */
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
  resting: bigint | null,
  lowered: bigint | null,
  floor: bigint | null,
): readonly string[] {
  if (floor === null) return [explainMissing(question)];
  if (lowered === null) return ['The window is open: the missing floor is set to the legacy limit.'];
  const from = formatCredits(lowered);
  if (floor > lowered) return [`The window is open: the floor is raised from ${from} to the legacy limit.`];
  return floor === resting ? ['The floor is kept.'] : [];
}

function explainMissing(question: FloorQuestion): string {
  if (!isBeforeCutover(question)) return 'It signed up at or after the cut-over: no floor.';
  return 'It has no floor, and after the sweep only a first decision sets one.';
}

function lesser(one: bigint, other: bigint): bigint {
  if (one < other) return one;
  return other;
}
