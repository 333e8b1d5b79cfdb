// `rate-card check`: reads a rate card, runs its golden cases and lists what they do not cover. Uses no database.

import { resolve } from 'node:path';
import { loadRateCard } from '../../compose.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { checkRateCard } from '../../domain/rate-card-check/check-rate-card.js';
import { listUncoveredBranches } from '../../domain/rate-card-check/list-uncovered-branches.js';
import { ERRORS } from '../../kernel/error-codes.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { checkedCardDocument, showCheckedCard } from '../views/show-rate-card.js';

export async function runCheckCard(session: CliSession, file: string | undefined): Promise<number> {
  if (file !== undefined) return check(session, await loadRateCard(resolve(file)));
  return withProgram(session, { policy: 'unchecked', says: 'nothing' }, async (program) =>
    check(session, await program.loadRateCard()),
  );
}

function check(session: CliSession, card: RateCard): number {
  const checked = { card, failed: checkRateCard(card), coverage: listUncoveredBranches(card) };
  session.report(checkedCardDocument(checked), showCheckedCard(withPrintableTexts(checked), session.width()));
  return checked.failed.length === 0 ? 0 : ERRORS.rate_card_case_failed.exit;
}
