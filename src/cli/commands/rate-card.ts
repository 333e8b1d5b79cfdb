// `rate-card check`: reads a rate card, runs its golden cases and says what they leave unproven. Touches no database.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { loadRateCard } from '../../compose.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { checkRateCard } from '../../domain/rate-card-check/check-rate-card.js';
import { listUncoveredBranches } from '../../domain/rate-card-check/list-uncovered-branches.js';
import { ERRORS } from '../../kernel/error-codes.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession, Execute } from '../terminal/session.js';
import { checkedCardDocument, showCheckedCard } from '../views/show-rate-card.js';

export function registerRateCardCommand(cli: Command, execute: Execute): void {
  cli
    .command('rate-card')
    .description('work on the rate card')
    .command('check')
    .description('read the rate card, run its golden cases and count the branches that none covers')
    .argument('[file]', "the card's file; default: the configured one")
    .action((file: string | undefined) => execute((session) => runCheck(session, file)));
}

async function runCheck(session: CliSession, file: string | undefined): Promise<number> {
  if (file !== undefined) return check(session, await loadRateCard(resolve(file)));
  return withProgram(session, { drift: 'unchecked' }, async (program) => check(session, await program.loadRateCard()));
}

function check(session: CliSession, card: RateCard): number {
  const checked = { card, failed: checkRateCard(card), coverage: listUncoveredBranches(card) };
  session.report(checkedCardDocument(checked), showCheckedCard(checked));
  return checked.failed.length === 0 ? 0 : ERRORS.rate_card_case_failed.exit;
}
