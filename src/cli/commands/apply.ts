// `apply`: shows what a rollout would do; with --execute it requests it. The schedulers and workers execute it.

import type { Program } from '../../compose.js';
import type { DataCenterConfig } from '../../domain/config/rollout-config.js';
import type { PlanReport } from '../../domain/plan/plan-report.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { hasEnded } from '../../domain/rollout/stage.js';
import { explainFailure } from '../../engine/database-errors.js';
import { readStatus, type Status } from '../../engine/operate/read-status.js';
import { type Triage, triage } from '../../engine/operate/triage.js';
import { loadStoredReport } from '../../engine/plan/load-stored-report.js';
import { isPending, planDataCenter } from '../../engine/plan/plan-data-center.js';
import { parsePlanName } from '../../engine/plan/plan-id.js';
import { checkFollowedPlan, requestApply } from '../../engine/rollout/request-rollout.js';
import { findCardChange, rejectOtherSource } from '../../engine/rollout/rollout-checks.js';
import { type CommandText, command } from '../../kernel/advice.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { chooseDataCenters, type DataCenterChoice } from '../arguments/choose-data-centers.js';
import { loadCheckedCard } from '../arguments/load-checked-card.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { withCounter } from '../terminal/with-counter.js';
import { nameError } from '../views/show-error.js';
import { countsDocument, planDocument, showPlan } from '../views/show-plan.js';
import { statusDocument } from '../views/show-state.js';
import { showMissing } from '../views/show-status.js';
import { waitForEnd } from './wait.js';

export interface ApplyFlags extends DataCenterChoice {
  readonly execute?: boolean;
  readonly plan?: string;
  /** Of the one data center that is named. */
  readonly revision?: number;
  readonly wait?: boolean;
}

export function runApply(session: CliSession, flags: ApplyFlags): Promise<number> {
  return withProgram(session, {}, async (program) => {
    const dataCenters = chooseDataCenters(program.config, withPlan(flags));
    if (flags.revision !== undefined && dataCenters.length > 1)
      throw new RolloutError('invalid_argument', {
        message: '--revision belongs to one data center, and several were named.',
        next: 'Name one with --dc, or leave --revision out.',
      });
    const joined = await findJoined(program, dataCenters, flags);
    if (joined !== undefined) return join(session, program, joined);
    const card = await loadCheckedCard(program);
    await rejectOtherSource(program.engine, dataCenters);
    // checked first: a data center that has nothing to change must not hide that the plan does not exist
    if (flags.plan !== undefined)
      await checkFollowedPlan(program.engine, { config: program.config, card, dataCenters }, flags.plan);
    return flags.execute
      ? executeApply(session, program, { card, dataCenters, flags })
      : describeApply(session, program, { card, dataCenters, flags });
  });
}

/** A plan names its data center. Throws plan_unknown for what cannot be the name of one. */
function withPlan(flags: ApplyFlags): ApplyFlags {
  if (flags.plan === undefined || flags.dc !== undefined || flags.all) return flags;
  const name = parsePlanName(flags.plan);
  if (name === undefined)
    throw new RolloutError('plan_unknown', {
      message: `"${flags.plan}" is not the name of a plan. A plan has a name such as in-7.`,
    });
  return { ...flags, dc: [name.dataCenter] };
}

/** The data center that follows the named plan already, where that is to be executed and waited for. */
async function findJoined(
  { engine }: Program,
  dataCenters: readonly DataCenterConfig[],
  { execute, wait, plan }: ApplyFlags,
): Promise<string | undefined> {
  const [dataCenter, another] = dataCenters;
  if (!execute || !wait || plan === undefined || dataCenter === undefined || another !== undefined) return undefined;
  const status = await readStatus(engine);
  const found = status.dataCenters.find(({ id }) => id === dataCenter.id);
  return found !== undefined && !hasEnded(found) && found.planId === plan ? found.id : undefined;
}

function join(session: CliSession, program: Program, dataCenter: string): Promise<number> {
  session.print(`▶ ${dataCenter}: already under way`);
  return waitForEnd(
    session,
    program,
    [dataCenter],
    applyDocument({ requested: [], unchanged: [], busy: [dataCenter] }),
  );
}

interface ApplyRequest {
  readonly card: RateCard;
  readonly dataCenters: readonly DataCenterConfig[];
  readonly flags: ApplyFlags;
}

/** Without --execute: the plan of each, and the command that does it. */
async function describeApply(
  session: CliSession,
  program: Program,
  { card, dataCenters, flags }: ApplyRequest,
): Promise<number> {
  const status = await readStatus(program.engine); // throws not_initialised before a long read
  if (flags.all) printOrder(session, dataCenters, status);
  const plans: PlanReport[] = [];
  let newCards = 0;
  for (const { id } of dataCenters) {
    const plan = await readPlan(session, program, { card, dataCenter: id, planId: flags.plan });
    session.print(`${showPlan(withPrintableTexts(plan), session.width(), session.paint)}\n`);
    plans.push(plan);
    const old = await findCardChange(program.engine, id, card.hash);
    if (old === undefined) continue;
    newCards += 1;
    session.print(`${id} would get the rate card ${card.hash} instead of ${old}.`);
  }
  const pending = newCards > 0 || plans.some(isPending);
  const what = flags.plan === undefined ? showChoice(flags) : command`--plan ${flags.plan}`;
  const seen = status.dataCenters.filter(({ id }) => dataCenters.some((one) => one.id === id));
  const revision = seen.length === 1 && seen[0] !== undefined && command`--revision ${seen[0].revision}`;
  const next = session.commands.show(command`apply ${what} --execute ${revision} ${flags.wait && command('--wait')}`);
  const isHeld = program.config.rollout.approval === 'required' || plans.some(isOutside);
  if (pending && isHeld && flags.plan === undefined)
    session.print('It will wait for the approval of its plan, by somebody else than the person who runs it.');
  session.print(pending ? `Nothing was changed. To do it: ${next}` : 'Nothing was changed, and nothing is pending.');
  if (session.options.json)
    session.report(
      {
        executed: false,
        pending,
        plans: plans.map(plans.length > 1 ? countsDocument : planDocument),
        next: pending ? next : null,
      },
      '',
    );
  return session.options.exitCode && pending ? 2 : 0;
}

const isOutside = ({ rails }: PlanReport): boolean => rails.some(({ passes }) => !passes);

/** The named plan as it is stored, which is what would be applied; without one, what a plan would be now. */
async function readPlan(
  session: CliSession,
  { config, engine }: Program,
  {
    card,
    dataCenter,
    planId,
  }: { readonly card: RateCard; readonly dataCenter: string; readonly planId?: string | undefined },
): Promise<PlanReport> {
  if (planId !== undefined) return (await loadStoredReport(engine, { planId, config, stale: 'none' })).report;
  const question = { config, dataCenter, card, save: 'nothing' } as const;
  return withCounter(session, `Reading ${dataCenter}`, (onProgress) =>
    planDataCenter(engine, question, { onProgress }),
  );
}

const showChoice = ({ all, dc = [] }: DataCenterChoice): CommandText => (all ? command('--all') : command`--dc ${dc}`);

/** What is done comes last, and only where a plan finds something to write. */
function printOrder({ print }: CliSession, dataCenters: readonly DataCenterConfig[], status: Status): void {
  const isDone = ({ id }: DataCenterConfig): boolean =>
    status.dataCenters.some((row) => row.id === id && row.stage === 'done');
  const name = (chosen: readonly DataCenterConfig[]): string => chosen.map(({ id }) => id).join(', ');
  const first = dataCenters.filter((one) => !isDone(one));
  const last = dataCenters.filter(isDone);
  const parts = [
    ...(first.length > 0 ? [name(first)] : []),
    ...(last.length > 0 ? [`${name(last)} (done; only if something is to be written)`] : []),
  ];
  print(`Order: ${parts.join('; last ')}`);
}

async function executeApply(
  session: CliSession,
  program: Program,
  { card, dataCenters, flags }: ApplyRequest,
): Promise<number> {
  if (flags.all) printOrder(session, dataCenters, await readStatus(program.engine));
  const triaged = await triage(program.engine, {
    config: program.config,
    card,
    dataCenters,
    busy: flags.all ? 'skipped' : flags.wait && flags.plan === undefined ? 'joined' : 'requested',
  });
  const requested = triaged.requested.map(({ id }) => id);
  if (triaged.requested.length > 0)
    await requestApply(program.engine, {
      config: program.config,
      card,
      dataCenters: triaged.requested,
      reason: session.options.reason,
      revision: flags.revision,
      ...(flags.plan !== undefined && { follow: { planId: flags.plan } }),
    });
  for (const id of triaged.unchanged) session.print(`✔ ${id}: done, nothing to change`);
  for (const id of triaged.busy) session.print(`▶ ${id}: already under way`);
  if (requested.length > 0) session.print(`◷ ${requested.join(', ')}: requested`);
  const followed = [...requested, ...triaged.busy];
  if (!flags.wait || followed.length === 0) return reportRequest(session, program, triaged);
  return waitForEnd(session, program, followed, applyDocument(triaged));
}

const applyDocument = ({ requested, unchanged, busy }: Triage): Readonly<Record<string, unknown>> => ({
  executed: true,
  requested: requested.map(({ id }) => id),
  unchanged,
  busy,
});

/** What was requested remains requested, also where the status cannot be read any more. */
async function reportRequest(session: CliSession, program: Program, triaged: Triage): Promise<number> {
  const status = await readStatus(program.engine).catch((error: unknown) => {
    const { code, message } = nameError(explainFailure(error));
    session.warn(`[${code}] ${message} The status is not known now; what was requested is still requested.`);
    return null;
  });
  const followed = [...triaged.requested.map(({ id }) => id), ...triaged.busy];
  if (followed.length > 0) {
    if (status !== null) for (const line of showMissing(status, followed, session.commands)) session.print(line);
    session.print(`Wait for it: ${session.commands.show(command`wait --dc ${followed}`)}`);
  }
  if (session.options.json)
    session.report(
      { ...applyDocument(triaged), status: status === null ? null : statusDocument(status, session.commands) },
      '',
    );
  return 0;
}
