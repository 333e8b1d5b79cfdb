// Checks of `doctor` on the rate card: it can be read, and its golden cases pass.
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { checkRateCard } from '../../domain/rate-card-check/check-rate-card.js';
import { createFindingRecorder, type Finding } from './finding.js';

const ABOUT = { subject: 'rate card', title: 'The rate card' };

/** The card, undefined where it cannot be loaded, with the findings on it. Never rejects. */
export async function loadCard(
  given: RateCard | (() => Promise<RateCard>),
): Promise<{ readonly card: RateCard | undefined; readonly findings: readonly Finding[] }> {
  try {
    const card = typeof given === 'function' ? await given() : given;
    return { card, findings: checkGoldenCases(card) };
  } catch (error) {
    return { card: undefined, findings: [createFindingRecorder(ABOUT, 'readable').failure(error)] };
  }
}

function checkGoldenCases(card: RateCard): readonly Finding[] {
  const record = createFindingRecorder(ABOUT, 'golden cases');
  const failed = checkRateCard(card);
  if (failed.length === 0) return [record.ok(`${card.name} ${card.hash}: ${card.cases.length} cases pass`)];
  return failed.map(({ message }) => record.error(message, 'Correct the card or the case.', 'rate_card_case_failed'));
}
