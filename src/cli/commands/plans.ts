// `plans`: what was planned, who approved it and with what result; `show` one plan, `diff` two. Changes nothing.

import { findDataCenter } from '../../compose.js';
import { diffPlans } from '../../engine/plan/diff-plans.js';
import { listPlans } from '../../engine/plan/list-plans.js';
import { loadStoredReport } from '../../engine/plan/load-stored-report.js';
import { command } from '../../kernel/advice.js';
import { toPrintable, withPrintableTexts } from '../../kernel/printable.js';
import { MAX_PLANS, raiseLimit } from '../arguments/parse-options.js';
import { withProgram } from '../processes/with-program.js';
import { openReportFolder } from '../report/report-folder.js';
import { createLiveArea } from '../terminal/live-area.js';
import { showShare } from '../terminal/numbers.js';
import type { CliSession } from '../terminal/session.js';
import { planDiffDocument, showPlanDiff } from '../views/show-plan-diff.js';
import { plansDocument, showPlans } from '../views/show-plans.js';
import { showStoredReport, storedReportDocument } from '../views/show-stored-report.js';

export interface ListPlansFlags {
  readonly dc?: string;
  readonly limit: number;
}
export interface ShowPlanFlags {
  readonly out?: string;
  readonly stale?: boolean;
}

/** Orgs that a screen names. */
const STALE_SHOWN = 200;
const CHANGES_SHOWN = 50;

export function runListPlans(session: CliSession, { dc, limit }: ListPlansFlags): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async ({ engine, config }) => {
    const chosen = dc === undefined ? config.dataCenters : [findDataCenter(config, dc)];
    const list = await listPlans(engine, { config, dataCenters: chosen.map(({ id }) => id), limit });
    const { commands } = session;
    const older = commands.show(
      command`plans ${dc !== undefined && command`--dc ${dc}`} --limit ${raiseLimit(limit, MAX_PLANS)}`,
    );
    const view = { commands, older, width: session.width() };
    session.report(plansDocument(list), showPlans(withPrintableTexts(list), view));
    return 0;
  });
}

export function runShowPlan(session: CliSession, planId: string, { out, stale }: ShowPlanFlags): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async ({ engine, config }) => {
    const listed = session.options.json ? 'all' : STALE_SHOWN;
    const folder = out === undefined ? undefined : await openReportFolder(out);
    try {
      const stored = await loadStoredReport(engine, { planId, config, stale: stale ? listed : 'none' });
      const files = (await folder?.publish([stored.report], stored.outcome)) ?? [];
      session.report(
        storedReportDocument(stored, files),
        [
          showStoredReport(withPrintableTexts(stored), session.paint, session.width()),
          ...files.map((file) => `Wrote ${toPrintable(file)}`),
        ].join('\n'),
      );
      return 0;
    } finally {
      await folder?.discard();
    }
  });
}

export function runDiffPlans(session: CliSession, from: string, to: string): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async ({ engine }) => {
    const { io, options } = session;
    const area = io.isTerminal && !options.json ? createLiveArea(session, () => performance.now()) : undefined;
    const onProgress = (done: number, all: number): void =>
      area?.draw([`Comparing … ${showShare(all === 0 ? 1 : done / all)}`], '');
    const difference = await diffPlans(engine, { from, to, limit: CHANGES_SHOWN }, { onProgress }).finally(() =>
      area?.clear(),
    );
    session.report(planDiffDocument(difference), showPlanDiff(withPrintableTexts(difference), session.width()));
    return 0;
  });
}
