// `plan`: the dry run of a data center, stored so that it can be applied; with another card a what-if that stores
// nothing. Cannot write orgs.

import { resolve } from 'node:path';
import type { Program } from '../../compose.js';
import type { ApprovalMode } from '../../domain/config/rollout-config.js';
import type { PlanReport } from '../../domain/plan/plan-report.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { checkRateCard } from '../../domain/rate-card-check/check-rate-card.js';
import type { SaveOrgs } from '../../engine/plan/export-orgs.js';
import { isPending, planDataCenter } from '../../engine/plan/plan-data-center.js';
import { rejectOtherSource } from '../../engine/rollout/rollout-checks.js';
import { command } from '../../kernel/advice.js';
import { toPrintable, withPrintableTexts } from '../../kernel/printable.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { chooseDataCenters, type DataCenterChoice } from '../arguments/choose-data-centers.js';
import { loadCheckedCard } from '../arguments/load-checked-card.js';
import { withProgram } from '../processes/with-program.js';
import { openReportFolder } from '../report/report-folder.js';
import type { CliSession } from '../terminal/session.js';
import { withCounter } from '../terminal/with-counter.js';
import { countsDocument, planDocument, showPlan } from '../views/show-plan.js';

export interface PlanFlags extends DataCenterChoice {
  readonly out?: string;
  readonly gzip?: boolean;
  readonly rateCard?: string;
}

export function runPlan(session: CliSession, flags: PlanFlags): Promise<number> {
  return withProgram(session, {}, async (program) => {
    const chosen = chooseDataCenters(program.config, flags);
    const dataCenters = chosen.map(({ id }) => id);
    const card =
      flags.rateCard === undefined ? await loadCheckedCard(program) : await loadOther(program, flags.rateCard);
    await rejectOtherSource(program.engine, chosen);
    const stop = new AbortController();
    const unlisten = session.io.onStop(() => stop.abort());
    const { reports, files } = await makeReports(session, program, dataCenters, card, {
      ...flags,
      signal: stop.signal,
    }).finally(unlisten);
    const [only] = reports;
    const shown = reports.map(
      (report) =>
        `${showPlan(withPrintableTexts(report), session.width(), session.paint)}\n\n${showNext(session, report, program.config.rollout.approval)}`,
    );
    session.report(
      reports.length === 1 && only !== undefined
        ? { ...planDocument(only), files: [...files] }
        : { plans: reports.map(countsDocument), files: [...files] },
      [...shown, files.map((file) => `Wrote ${toPrintable(file)}`).join('\n')]
        .filter((part) => part !== '')
        .join('\n\n'),
    );
    return session.options.exitCode && reports.some(isPending) ? 2 : 0;
  });
}

/** A card beside the configured one; its own cases must pass. */
async function loadOther(program: Program, path: string): Promise<RateCard> {
  const card = await program.loadRateCard(resolve(path));
  const [failed] = checkRateCard(card);
  if (failed === undefined) return card;
  throw new RolloutError('rate_card_case_failed', { message: `${path}: ${failed.message}` });
}

interface Reports {
  readonly reports: readonly PlanReport[];
  readonly files: readonly string[];
}

/** One data center after the other; only the report of one may list orgs. */
async function makeReports(
  session: CliSession,
  program: Program,
  dataCenters: readonly string[],
  card: RateCard,
  { out, gzip, rateCard, signal }: PlanFlags & { readonly signal: AbortSignal },
): Promise<Reports> {
  const save = rateCard === undefined ? 'plan' : 'nothing';
  const plan = (dataCenter: string, saveOrgs?: SaveOrgs): Promise<PlanReport> =>
    withCounter(session, `Planning ${dataCenter}`, (onProgress) =>
      planDataCenter(
        program.engine,
        { config: program.config, dataCenter, card, save, reason: session.options.reason },
        { onProgress, saveOrgs, signal },
      ),
    );
  const planAll = async (saveOrgs?: SaveOrgs): Promise<readonly PlanReport[]> => {
    const reports: PlanReport[] = [];
    for (const dataCenter of dataCenters) reports.push(await plan(dataCenter, saveOrgs));
    return reports;
  };
  if (out === undefined) return { reports: await planAll(), files: [] };
  const folder = await openReportFolder(out);
  try {
    const list: SaveOrgs = (csv) => folder.saveOrgs(csv, gzip ? 'gzip' : 'plain');
    const reports = await planAll(dataCenters.length === 1 ? list : undefined);
    return { reports, files: await folder.publish(reports) };
  } finally {
    await folder.discard();
  }
}

/** What the author would find out from same_person, and somebody without the role from not_permitted. */
const WHO_APPROVES = 'Somebody else than you, with a login of the role credit_rollout_control_approver, runs';

function showNext(session: CliSession, report: PlanReport, approval: ApprovalMode): string {
  const { planId, rails } = report;
  if (planId === null) return 'A what-if: nothing was changed or stored.';
  if (!isPending(report)) return 'Nothing was changed, and nothing is pending.';
  const apply = session.commands.show(command`apply --plan ${planId} --execute`);
  const outside = rails.some((rail) => !rail.passes);
  if (!outside && approval === 'auto') return `Nothing was changed. To apply exactly this: ${apply}`;
  const why = outside
    ? 'The plan is outside the guard-rails, the limits above which a second person must approve it.'
    : 'With rollout.approval: required a second person must approve every plan.';
  const approve = session.commands.show(command`approve ${planId}`);
  return `Nothing was changed. ${why}\n${WHO_APPROVES}: ${approve}\nThen: ${apply}`;
}
