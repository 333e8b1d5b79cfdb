// `rate-card check`: reads a rate card and runs its golden cases. Touches no database.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { loadRateCard } from '../../compose.js';
import { checkRateCard } from '../../domain/rate-card/check-rate-card.js';
import { ERRORS } from '../../kernel/error-codes.js';
import type { CliSession, Execute } from '../cli-session.js';
import { withProgram } from '../with-program.js';

export function registerRateCard(cli: Command, execute: Execute): void {
  cli
    .command('rate-card')
    .description('work on the rate card')
    .command('check')
    .description('read the rate card and run its golden cases')
    .argument('[file]', "the card's file; default: the configured one")
    .action((file: string | undefined) => execute((session) => runCheck(session, file)));
}

async function runCheck(session: CliSession, file: string | undefined): Promise<number> {
  if (file !== undefined) return check(session, await loadRateCard(resolve(file)));
  return withProgram(session, { drift: 'unchecked' }, async (program) => check(session, await program.loadRateCard()));
}

function check(session: CliSession, card: Awaited<ReturnType<typeof loadRateCard>>): number {
  const failed = checkRateCard(card);
  const passed = card.cases.length - failed.length;
  session.report(
    {
      name: card.name,
      cardHash: card.hash,
      editions: [...card.editions.keys()],
      cases: card.cases.length,
      failed: failed.map(({ position, name, message }) => ({ position, name, message })),
    },
    [
      `${failed.length === 0 ? '✔' : '✖'} ${card.name}: ${card.editions.size} editions, ${passed} of ${card.cases.length} golden cases come out`,
      ...failed.map(({ message }) => `    ${message}`),
    ].join('\n'),
  );
  return failed.length === 0 ? 0 : ERRORS.rate_card_case_failed.exit;
}
