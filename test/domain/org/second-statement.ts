// The rule a second time, from docs/reference/domain.md and written differently on purpose: the oracle of decideOrg.
// Never import the first.
import type { OrgQuestion } from '../../../src/domain/org/decide-org.js';
import type { RateCard } from '../../../src/domain/rate-card/rate-card.js';
import type { OrgInputs } from '../../../src/domain/source/org-inputs.js';

export interface SecondAnswer {
  readonly quarantine: string | null;
  readonly plan: bigint;
  readonly floor: bigint | null;
  readonly floorEdition: string | null;
  readonly unpaidSince: string | null;
  readonly total: bigint;
  readonly proposal: bigint | null;
}

interface Promised {
  amount: bigint;
  edition: string;
}

const nothing = { plan: 0n, floor: null, floorEdition: null, unpaidSince: null, total: 0n, proposal: null };
const LIMIT = BigInt('9223372036854775807');

export function secondStatement(question: OrgQuestion): SecondAnswer {
  const { inputs, card, prior } = question;
  const wrong = whatIsWrong(inputs, card);
  if (wrong !== undefined) return { quarantine: wrong, ...nothing };
  const row = card.editions.get((inputs.paid ? inputs.edition : card.unpaid) ?? '');
  if (row === undefined) throw new Error('the card has no unpaid row');
  const plan = row.base + row.perAgent * (inputs.agents ?? 0n);
  const legacy = inputs.negotiatedLimit ?? legacyOf(inputs, card);
  const { promise, proposal } = walkPromise(question, legacy);
  const granted = [plan, ...(inputs.paid && promise !== null ? [promise.amount] : [])].sort(descending)[0] ?? plan;
  const total = granted + (inputs.additionalCredits ?? 0n);
  if ([total, plan, legacy].some((number) => number > LIMIT)) return { quarantine: 'overflow', ...nothing };
  const unpaidSince = inputs.paid ? null : (prior?.unpaidSince ?? question.today);
  const floor = promise?.amount ?? null;
  // people decide about an org that is back once it is stored
  const asked = question.priorState === 'retired' ? null : proposal;
  return { quarantine: null, plan, floor, floorEdition: promise?.edition ?? null, unpaidSince, total, proposal: asked };
}

function whatIsWrong(inputs: OrgInputs, card: RateCard): string | undefined {
  const light = card.lightAgentsCountAsUsers || inputs.lightAgents !== null ? inputs.lightAgents : 0n;
  const counts = { agents: inputs.agents, light_agents: light, additional_credits: inputs.additionalCredits };
  const required = { edition: inputs.edition, paid: inputs.paid, ...counts, created_at: inputs.createdAt };
  const nulls = Object.entries(required).filter(([, value]) => value === null);
  const numbers = Object.entries({ ...counts, legacy_limit: inputs.negotiatedLimit });
  const negatives = numbers.filter(([, value]) => (value ?? 0n) < 0n);
  return [
    ...(inputs.duplicated ? ['duplicate_id'] : []),
    ...(inputs.edition === null ? ['null_edition'] : []),
    ...(card.editions.has(inputs.edition ?? '') ? [] : ['unknown_edition']),
    ...nulls.map(([column]) => `null_${column}`),
    ...negatives.map(([column]) => `negative_${column}`),
  ][0];
}

/** The number in the middle of minimum, users and maximum is the clamped one. */
function legacyOf(inputs: OrgInputs, card: RateCard): bigint {
  const legacy = card.editions.get(inputs.edition ?? '')?.legacy;
  if (legacy === undefined) throw new Error('unknown edition');
  if (legacy.kind === 'flat') return legacy.flat;
  let users = inputs.agents ?? 0n;
  if (card.lightAgentsCountAsUsers) users += inputs.lightAgents ?? 0n;
  return [legacy.min, legacy.perUser * users, legacy.max].sort(descending)[1] ?? legacy.min;
}

function walkPromise(question: OrgQuestion, legacy: bigint): { promise: Promised | null; proposal: bigint | null } {
  const { inputs, card, prior, gate } = question;
  const edition = inputs.edition ?? '';
  const line = gate.effectiveAt?.getTime() ?? Number.POSITIVE_INFINITY;
  const early = (gate.decidedAt ?? inputs.createdAt ?? new Date(0)).valueOf() < line;
  let promise = restingPromise(question);
  if (!inputs.paid) return { promise, proposal: null };
  if (prior === null) return { promise: early ? { amount: legacy, edition } : null, proposal: null };
  if (promise !== null && isBelow(card, edition, promise.edition)) {
    promise = { amount: legacy < promise.amount ? legacy : promise.amount, edition };
  }
  let proposal: bigint | null = null;
  if (gate.sweptAt === null && early) {
    if (promise === null) promise = { amount: legacy, edition };
    else if (legacy > promise.amount) {
      if (inputs.negotiatedLimit === null && legacy > 2n * promise.amount) proposal = legacy;
      else promise = { amount: legacy, edition };
    }
  }
  const renegotiated = gate.sweptAt !== null && inputs.negotiatedLimit !== prior.negotiatedLimit;
  if (renegotiated && promise?.amount !== legacy) proposal = legacy;
  return { promise, proposal };
}

function restingPromise({ prior, today, lapseGraceDays }: OrgQuestion): Promised | null {
  if (prior === null || prior.floor === null || prior.floorEdition === null) return null;
  if (prior.unpaidSince !== null) {
    const end = new Date(`${prior.unpaidSince}T00:00:00Z`);
    end.setUTCDate(end.getUTCDate() + lapseGraceDays);
    if (today > end.toISOString().slice(0, 10)) return null;
  }
  return { amount: prior.floor, edition: prior.floorEdition };
}

function isBelow(card: RateCard, edition: string, recorded: string): boolean {
  const mine = card.editions.get(edition);
  const theirs = card.editions.get(recorded);
  if (mine === undefined || theirs === undefined) return false;
  return mine.base < theirs.base || (mine.base === theirs.base && mine.perAgent < theirs.perAgent);
}

const descending = (one: bigint, other: bigint): number => (one > other ? -1 : one < other ? 1 : 0);
