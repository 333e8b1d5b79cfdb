// Explains one decision for `why`: every term with the numbers that it was computed from. Never recomputes the floor.

import { formatCredits } from '../../kernel/format-credits.js';
import type { EditionRates, RateCard } from '../rate-card/rate-card.js';
import type { Allotment } from './allotment.js';
import type { OrgDecision } from './decide-org.js';

/**
 * Lines of text for one decision under the card that it was made with; for a quarantined org the reason and what it
 * means.
 */
export function explainDecision(decision: OrgDecision, card: RateCard): readonly string[] {
  if (decision.kind === 'quarantine') {
    return [`Undecidable: ${decision.reason}.`, 'It is in quarantine and keeps what it has today.'];
  }
  const { allotment } = decision;
  return [
    explainEdition(allotment, card),
    explainPlan(allotment, card),
    explainLegacy(allotment, card),
    explainFloor(allotment, decision.because),
    explainTotal(allotment),
  ];
}

function explainEdition({ edition, paid }: Allotment, card: RateCard): string {
  const row = paid ? 'paid' : `unpaid: the credits of ${card.unpaid}`;
  return `edition ${edition} (${row}), rate card ${card.name} ${card.hash}`;
}

function explainPlan(allotment: Allotment, card: RateCard): string {
  const { baseCredits, variableCredits, agents } = allotment;
  const perAgent = card.editions.get(allotment.paid ? allotment.edition : card.unpaid)?.perAgent ?? 0n;
  const product = `${count(agents, 'agent')} × ${formatCredits(perAgent)} = ${formatCredits(variableCredits)}`;
  const plan = formatCredits(baseCredits + variableCredits);
  return `plan credits ${plan} = base ${formatCredits(baseCredits)} + ${product}`;
}

function explainLegacy(allotment: Allotment, card: RateCard): string {
  const granted = allotment.paid ? '' : '; not granted to the unpaid';
  const source = allotment.negotiatedLimit === null ? describeFormula(allotment, card) : 'negotiated';
  return `legacy limit ${formatCredits(allotment.legacyLimit)} (${source})${granted}`;
}

function describeFormula({ edition, agents, lightAgents }: Allotment, card: RateCard): string {
  const legacy: EditionRates['legacy'] | undefined = card.editions.get(edition)?.legacy;
  if (legacy === undefined || legacy.kind === 'flat') return `flat for ${edition}`;
  const users = agents + (card.lightAgentsCountAsUsers ? lightAgents : 0n);
  const product = `${count(users, 'user')} × ${formatCredits(legacy.perUser)}`;
  return `${product}, at least ${formatCredits(legacy.min)}, at most ${formatCredits(legacy.max)}`;
}

function explainFloor({ floor, floorEdition }: Allotment, because: readonly string[]): string {
  const number =
    floor === null
      ? 'floor none'
      : `floor ${formatCredits(floor)} (the number it was promised), recorded with ${floorEdition}`;
  return `${number}. ${because.join(' ')}`;
}

function explainTotal(allotment: Allotment): string {
  const { grandfatheredCredits, additionalCredits, concurrencyLimit } = allotment;
  const sum = [
    `plan ${formatCredits(allotment.baseCredits + allotment.variableCredits)}`,
    `grandfathered ${formatCredits(grandfatheredCredits)}`,
    `additional ${formatCredits(additionalCredits)}`,
  ].join(' + ');
  const winner = allotment.winner === 'legacy' ? 'the legacy limit wins' : 'credits win';
  return `total ${formatCredits(allotment.totalCredits)} credits a day = ${sum}; ${winner}; ${concurrencyLimit} concurrent calls`;
}

function count(number: bigint, noun: string): string {
  return `${formatCredits(number)} ${noun}${number === 1n ? '' : 's'}`;
}
