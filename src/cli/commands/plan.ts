// `plan`: the dry run on screen. Runs as a role that cannot write.
import type { Command } from 'commander';
import { findDataCenter } from '../../compose.js';
import { planDataCenter } from '../../engine/plan-data-center.js';
import type { CliSession, Execute } from '../cli-session.js';
import { loadCheckedCard } from '../load-checked-card.js';
import { planDocument, showPlan } from '../show-plan.js';
import { withCounter } from '../with-counter.js';
import { withProgram } from '../with-program.js';

export function registerPlan(cli: Command, execute: Execute): void {
  cli
    .command('plan')
    .description('what an apply would do in a data center, in numbers; nothing is written')
    .requiredOption('--dc <id>', 'the data center')
    .action(({ dc }: { readonly dc: string }) => execute((session) => runPlan(session, dc)));
}

function runPlan(session: CliSession, dc: string): Promise<number> {
  return withProgram(session, {}, async (program) => {
    const { id, zone } = findDataCenter(program.config, dc);
    const card = await loadCheckedCard(program);
    const plan = await withCounter(session, `Reading ${id}`, (count) =>
      planDataCenter(program.engine, id, card, count),
    );
    const next = plan.pending
      ? `Nothing was changed. To carry it out: ${session.commands.show(`apply --dc ${id} --execute`)}`
      : 'Nothing was changed, and nothing is pending.';
    session.report(planDocument(plan), `${showPlan(plan, { zone, card: card.name })}\n\n${next}`);
    return session.options.exitCode && plan.pending ? 2 : 0;
  });
}
