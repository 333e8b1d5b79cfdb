// `plan`: the dry run of a data center, kept to be applied; with another card a what-if that keeps nothing. Cannot write.
import type { Command } from 'commander';
import { findDataCenter, type Program } from '../../compose.js';
import type { PlanReport } from '../../domain/plan/plan-report.js';
import { checkRateCard } from '../../domain/rate-card/check-rate-card.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import type { SaveOrgs } from '../../engine/export-orgs.js';
import { isPending, planDataCenter } from '../../engine/plan-data-center.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CliSession, Execute } from '../cli-session.js';
import { loadCheckedCard } from '../load-checked-card.js';
import { openReportFolder } from '../report/report-folder.js';
import { planDocument, showPlan } from '../show-plan.js';
import { withCounter } from '../with-counter.js';
import { withProgram } from '../with-program.js';

interface PlanFlags {
  readonly dc: string;
  readonly out?: string;
  readonly gzip?: boolean;
  readonly rateCard?: string;
}

export function registerPlan(cli: Command, execute: Execute): void {
  cli
    .command('plan')
    .description('what an apply would do in a data center, kept so that exactly that can be applied; no org is changed')
    .requiredOption('--dc <id>', 'the data center')
    .option('--out <dir>', 'also write report.html, report.json and orgs.csv there')
    .option('--gzip', 'write orgs.csv.gz instead of orgs.csv')
    .option('--rate-card <file>', 'a what-if with another card: nothing is kept')
    .action((flags: PlanFlags) => execute((session) => runPlan(session, flags)));
}

function runPlan(session: CliSession, flags: PlanFlags): Promise<number> {
  return withProgram(session, {}, async (program) => {
    const { id } = findDataCenter(program.config, flags.dc);
    const card =
      flags.rateCard === undefined ? await loadCheckedCard(program) : await loadOther(program, flags.rateCard);
    const { report, files } = await makeReport(session, program, id, card, flags);
    const next = showNext(session, report);
    session.report(
      { ...planDocument(report), files: [...files] },
      [showPlan(report, session.paint), ...files.map((file) => `Wrote ${file}`), '', next].join('\n'),
    );
    return session.options.exitCode && isPending(report) ? 2 : 0;
  });
}

/** A card beside the configured one; its own cases must come out. */
async function loadOther(program: Program, path: string): Promise<RateCard> {
  const card = await program.loadRateCard(path);
  const [failed] = checkRateCard(card);
  if (failed === undefined) return card;
  throw new RolloutError('rate_card_case_failed', { message: `${path}: ${failed.message}` });
}

async function makeReport(
  session: CliSession,
  program: Program,
  dataCenter: string,
  card: RateCard,
  { out, gzip, rateCard }: PlanFlags,
): Promise<{ readonly report: PlanReport; readonly files: readonly string[] }> {
  const keep = rateCard === undefined ? 'plan' : 'nothing';
  const question = { config: program.config, dataCenter, card, keep } as const;
  const plan = (saveOrgs?: SaveOrgs): Promise<PlanReport> =>
    withCounter(session, `Planning ${dataCenter}`, (onProgress) =>
      planDataCenter(program.engine, question, { onProgress, saveOrgs }),
    );
  if (out === undefined) return { report: await plan(), files: [] };
  const folder = await openReportFolder(out);
  try {
    const report = await plan((csv) => folder.saveOrgs(csv, gzip ? 'gzip' : 'plain'));
    return { report, files: await folder.publish([report]) };
  } finally {
    await folder.discard();
  }
}

function showNext(session: CliSession, report: PlanReport): string {
  const { planId, rails } = report;
  if (planId === null) return 'A what-if: nothing was changed or kept.';
  if (!isPending(report)) return 'Nothing was changed, and nothing is pending.';
  const apply = session.commands.show(`apply --plan ${planId} --execute`);
  const outside = rails.some((rail) => !rail.passes);
  return outside
    ? `Nothing was changed. It is outside the guard-rails; a second person approves it: ${session.commands.show(`approve ${planId}`)}\nThen: ${apply}`
    : `Nothing was changed. To carry out exactly this: ${apply}`;
}
