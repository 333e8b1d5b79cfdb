// `plans`: what was planned, who approved it and what came of it; `show` one of them again, `diff` two. Changes nothing.
import type { Command } from 'commander';
import { findDataCenter } from '../../compose.js';
import { diffPlans } from '../../engine/plan/diff-plans.js';
import { listPlans } from '../../engine/plan/list-plans.js';
import { loadStoredReport } from '../../engine/plan/load-stored-report.js';
import { parseCount } from '../arguments/parse-count.js';
import { withProgram } from '../processes/with-program.js';
import { openReportFolder } from '../report/report-folder.js';
import { createLiveArea } from '../terminal/live-area.js';
import type { CliSession, Execute } from '../terminal/session.js';
import { planDiffDocument, showPlanDiff } from '../views/show-plan-diff.js';
import { plansDocument, showPlans } from '../views/show-plans.js';
import { showStoredReport, storedReportDocument } from '../views/show-stored-report.js';

interface ListFlags {
  readonly dc?: string;
  readonly limit: number;
}
interface ShowFlags {
  readonly out?: string;
  readonly stale?: boolean;
}

const MAX_PLANS = 10_000;
/** Orgs that a screen names. */
const STALE_SHOWN = 200;
const CHANGES_SHOWN = 50;

export function registerPlansCommand(cli: Command, execute: Execute): void {
  const plans = cli
    .command('plans')
    .description('the plans that there are, the newest first; `plans show ID` one again, `plans diff A B` two')
    .option('--dc <id>', 'only this data center')
    .option('--limit <n>', 'most plans to list', parseCount(MAX_PLANS), 100)
    .action((flags: ListFlags) => execute((session) => runList(session, flags)));
  plans
    .command('show')
    .description('a plan again: its report, its approval, and what came of it')
    .argument('<id>', 'for example in-7')
    .option('--out <dir>', 'also write report.html and report.json there')
    .option('--stale', 'also list the orgs that changed before they were written')
    .action((id: string, flags: ShowFlags) => execute((session) => runShow(session, id, flags)));
  plans
    .command('diff')
    .description('the orgs that come out otherwise in the second of two plans of a data center, and why')
    .argument('<a>', 'for example in-7')
    .argument('<b>', 'for example in-8')
    .action((from: string, to: string) => execute((session) => runDiff(session, from, to)));
}

function runList(session: CliSession, { dc, limit }: ListFlags): Promise<number> {
  return withProgram(session, {}, async ({ engine, config }) => {
    const chosen = dc === undefined ? config.dataCenters : [findDataCenter(config, dc)];
    const list = await listPlans(engine, { config, dataCenters: chosen.map(({ id }) => id), most: limit });
    session.report(plansDocument(list), session.commands.rewrite(showPlans(list)));
    return 0;
  });
}

function runShow(session: CliSession, planId: string, { out, stale }: ShowFlags): Promise<number> {
  return withProgram(session, {}, async ({ engine, config }) => {
    const listed = session.options.json ? 'all' : STALE_SHOWN;
    const folder = out === undefined ? undefined : await openReportFolder(out);
    try {
      const recalled = await loadStoredReport(engine, { planId, config, stale: stale ? listed : 'none' });
      const files = (await folder?.publish([recalled.report], recalled.outcome)) ?? [];
      session.report(
        storedReportDocument(recalled, files),
        [showStoredReport(recalled, session.paint), ...files.map((file) => `Wrote ${file}`)].join('\n'),
      );
      return 0;
    } finally {
      await folder?.discard();
    }
  });
}

function runDiff(session: CliSession, from: string, to: string): Promise<number> {
  return withProgram(session, {}, async ({ engine }) => {
    const { io, options } = session;
    const area = io.isTerminal && !options.json ? createLiveArea(io, () => performance.now()) : undefined;
    const onProgress = (done: number, all: number): void =>
      area?.draw([`Comparing … ${Math.floor((done * 100) / all)} %`], '');
    const difference = await diffPlans(engine, { from, to, most: CHANGES_SHOWN }, { onProgress }).finally(() =>
      area?.clear(),
    );
    session.report(planDiffDocument(difference), showPlanDiff(difference));
    return 0;
  });
}
