// The commands `usage` and `exception`: descriptions, arguments and options. Loads nothing that they work with.

import type { Command } from 'commander';
import { MAX_ROWS, parseCount, parseFloor, parseText } from '../arguments/parse-options.js';
import { ORG_TEXT } from '../arguments/read-org.js';
import type { Execute } from '../terminal/session.js';
import type { AddExceptionFlags, AnswerExceptionFlags, ListExceptionsFlags } from './exception.js';
import type { ProposeUsageFlags, UsageFlags } from './usage.js';

const MAX_PROPOSALS = 1_000;

export function registerUsage(cli: Command, execute: Execute): void {
  // without an action of its own, so that an option is never the parent's and the child's at once
  const usage = cli.command('usage').description('what orgs use of their credits: show, or propose more for some');
  usage
    .command('show', { isDefault: true })
    .description('show what the orgs of a data center use, predicted against measured; or what one org uses')
    .argument('[org]', ORG_TEXT)
    .requiredOption('--dc <id>', 'the data center')
    .option('--limit <n>', 'name at most so many orgs in each list', parseCount(MAX_ROWS), 20)
    .option('--page <file>', "also write the org's API details page there")
    .action((org: string | undefined, flags: UsageFlags) =>
      execute(async (session) => (await import('./usage.js')).runUsage(session, org, flags)),
    );
  usage
    .command('propose')
    .description('show which paid orgs need more by their busiest day; with --execute, propose an override for each')
    .requiredOption('--dc <id>', 'the data center')
    .option('--limit <n>', 'look at no more than so many orgs', parseCount(MAX_PROPOSALS), 100)
    .option('--execute', 'propose them to a second person; needs --reason')
    .action((flags: ProposeUsageFlags) =>
      execute(async (session) => (await import('./usage.js')).runProposeUsage(session, flags)),
    );
}

export function registerExceptions(cli: Command, execute: Execute): void {
  const exception = cli.command('exception').description('special cases that orgs ask for: list, add, answer');
  exception
    .command('list', { isDefault: true })
    .description('list the exceptions that wait for an answer, the oldest first')
    .requiredOption('--dc <id>', 'the data center')
    .option('--all', 'those that were answered too, the newest first')
    .option('--limit <n>', 'list at most so many', parseCount(MAX_ROWS), 50)
    .action((flags: ListExceptionsFlags) =>
      execute(async (session) => (await import('./exception.js')).runListExceptions(session, flags)),
    );
  exception
    .command('add')
    .description('show how an exception of an org would be stored; with --execute, store it')
    .argument('<org>', ORG_TEXT)
    .requiredOption('--dc <id>', 'the data center')
    .requiredOption('--text <text>', 'what the org asks for', parseText('--text'))
    .option('--wanted <credits>', 'credits a day that it wants', parseFloor)
    .option('--until <date>', 'the last day that it needs them')
    .option('--execute', 'do it; needs --reason')
    .action((org: string, flags: AddExceptionFlags) =>
      execute(async (session) => (await import('./exception.js')).runAddException(session, org, flags)),
    );
  exception
    .command('answer')
    .description('show the open exception of an org and how it would be answered; with --execute, answer it')
    .argument('<org>', ORG_TEXT)
    .requiredOption('--dc <id>', 'the data center')
    .option('--floor <credits>', 'propose this floor as an override; its approval grants the exception', parseFloor)
    .option('--decline <text>', 'decline it; the org is told this', parseText('--decline'))
    .option('--withdraw', 'the org does not ask any more')
    .option('--execute', 'do it; needs --reason')
    .action((org: string, flags: AnswerExceptionFlags) =>
      execute(async (session) => (await import('./exception.js')).runAnswerException(session, org, flags)),
    );
}
