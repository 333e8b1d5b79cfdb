// The commands that say which data centers the fleet has, as the command line has them.
import type { Command } from 'commander';
import { MAX_REVISION, parseCount, REVISION } from '../arguments/parse-options.js';
import type { Execute } from '../terminal/session.js';
import type { AdoptCellFlags } from './adopt-cell.js';
import type { RemoveFlags } from './remove.js';
import type { UninstallFlags } from './uninstall.js';

export function registerFleet(cli: Command, execute: Execute): void {
  cli
    .command('remove')
    .description('show what it means to take a data center out of the fleet; with --execute, do it')
    .requiredOption('--dc <id>', 'the data center')
    .option('--revision <n>', REVISION, parseCount(MAX_REVISION))
    .option('--cell-lost', 'its database is gone for good: do not ask it')
    .option('--execute', 'do it; needs --reason')
    .action((flags: RemoveFlags) =>
      execute(async (session) => (await import('./remove.js')).runRemove(session, flags)),
    );
  cli
    .command('adopt-cell')
    .description('compare a cell that was moved or upgraded with control; with --execute, propose to adopt it')
    .requiredOption('--dc <id>', 'the data center')
    .option('--revision <n>', REVISION, parseCount(MAX_REVISION))
    .option('--execute', 'propose it to a second person; needs --reason')
    .option('--withdraw', 'withdraw the proposal')
    .action((flags: AdoptCellFlags) =>
      execute(async (session) => (await import('./adopt-cell.js')).runAdoptCell(session, flags)),
    );
  cli
    .command('uninstall')
    .description('show the SQL that removes everything of ours from a cell, its roles too; with --execute, run it')
    .requiredOption('--dc <id>', 'the data center; it leaves the fleet')
    .option('--sign-ups-stopped', 'the product calls onboard_org no more: do not wait for 24 hours without a call')
    .option('--revision <n>', REVISION, parseCount(MAX_REVISION))
    .option('--execute', 'do it; needs --reason')
    .action((flags: UninstallFlags) =>
      execute(async (session) => (await import('./uninstall.js')).runUninstall(session, flags)),
    );
}
