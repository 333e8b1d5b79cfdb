// The configured rate card with its golden cases checked, as before every plan and apply.
import type { Program } from '../../compose.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { checkRateCard } from '../../domain/rate-card-check/check-rate-card.js';
import { advise, command } from '../../kernel/advice.js';
import { RolloutError } from '../../kernel/rollout-error.js';

/** Throws rate_card_case_failed with the first case that fails. */
export async function loadCheckedCard(program: Program): Promise<RateCard> {
  const card = await program.loadRateCard();
  const [first, ...others] = checkRateCard(card);
  if (first === undefined) return card;
  throw new RolloutError('rate_card_case_failed', {
    message: others.length === 0 ? first.message : `${first.message} ${others.length} more fail.`,
    next: advise`Run: ${command('rate-card check')}`,
  });
}
