// Every command with its description, arguments and options, in the order in which --help lists them. Loads nothing
// that a command works with: a command's module is imported when it runs.
import type { Command } from 'commander';
import type { DataCenterChoice } from '../arguments/choose-data-centers.js';
import {
  MAX_PLANS,
  MAX_REVISION,
  MAX_ROWS,
  parseCount,
  parseFloor,
  parseHead,
  parseName,
  REVISION,
} from '../arguments/parse-options.js';
import { ORG_TEXT } from '../arguments/read-org.js';
import type { Execute } from '../terminal/session.js';
import type { ApplyFlags } from './apply.js';
import type { AuditFlags } from './audit.js';
import type { CalendarFlags } from './calendar.js';
import { registerFleet } from './fleet-commands.js';
import type { InitFlags } from './init.js';
import { registerIntents } from './intent-commands.js';
import type { OverrideFlags } from './override.js';
import type { PlanFlags } from './plan.js';
import type { ListPlansFlags, ShowPlanFlags } from './plans.js';
import { registerProcesses } from './process-commands.js';
import type { ProtectFlags } from './protect.js';
import type { QuarantineFlags } from './quarantine.js';
import type { ReconcileFlags } from './reconcile.js';
import type { RepairFlags } from './repair.js';
import type { StatusFlags } from './status.js';
import { registerCutover, registerSettings } from './two-person-commands.js';
import { registerExceptions, registerUsage } from './usage-commands.js';
import type { VerifyFlags } from './verify.js';
import { registerWebhooks } from './webhook-commands.js';

/** Each adds some commands; together they are the whole command line. */
export const REGISTRATIONS: readonly ((cli: Command, execute: Execute) => void)[] = [
  registerSetup,
  registerFleet,
  registerSettings,
  registerPlans,
  registerRollout,
  registerIntents,
  registerCutover,
  registerUsage,
  registerExceptions,
  registerChecks,
  registerWebhooks,
  registerProcesses,
];

interface DataCenterFlag {
  readonly dc: string;
}

/** Seconds: a status that takes longer helps nobody. */
const MAX_WITHIN = 60;

function registerSetup(cli: Command, execute: Execute): void {
  cli
    .command('init')
    .description('make or upgrade our schemas in the control database, the cells and the queue')
    .option('--grant <role>', "the product's role that may read org_capacity and allotments, and call onboard_org")
    .option('--change-feed', 'put triggers on the source table, so that raises follow edits within seconds')
    .option('--sign-up-trigger', 'put a trigger on the source table that calls onboard_org at every sign-up')
    .option('--rotate-seals', 'make new keys for the seals that control and the cells share')
    .option('--dc <ids...>', 'only the cells of these data centers')
    .action((flags: InitFlags) => execute(async (session) => (await import('./init.js')).runInit(session, flags)));
  cli
    .command('detach')
    .description("remove our views and triggers from the product's table so that it can be altered; then run init")
    .requiredOption('--dc <id>', 'the data center')
    .action(({ dc }: DataCenterFlag) =>
      execute(async (session) => (await import('./detach.js')).runDetach(session, dc)),
    );
  cli
    .command('doctor')
    .description('check connections, versions, privileges, sources, zones, clocks and the queue; show how to fix them')
    .option('--dc <ids...>', 'only these data centers')
    .action(({ dc }: { readonly dc?: readonly string[] }) =>
      execute(async (session) => (await import('./doctor.js')).runDoctor(session, dc)),
    );
}

function registerPlans(cli: Command, execute: Execute): void {
  cli
    .command('plan')
    .description('compute what an apply would do in a data center, and store it so that exactly that can be applied')
    .option('--dc <ids...>', 'these data centers')
    .option('--all', 'every data center, in order')
    .option('--out <dir>', 'also write report.html and report.json there, and orgs.csv when it is one data center')
    .option('--gzip', 'write orgs.csv.gz instead of orgs.csv')
    .option('--rate-card <file>', 'a what-if with another card: nothing is stored')
    .action((flags: PlanFlags) => execute(async (session) => (await import('./plan.js')).runPlan(session, flags)));
  const plans = cli
    .command('plans')
    .description('list the plans, the newest first; `plans show ID` shows one, `plans diff A B` compares two')
    .option('--dc <id>', 'only this data center')
    .option('--limit <n>', 'list at most so many plans', parseCount(MAX_PLANS), 100)
    .action((flags: ListPlansFlags) =>
      execute(async (session) => (await import('./plans.js')).runListPlans(session, flags)),
    );
  plans
    .command('show')
    .description('show a plan: its report, its approval, and its result')
    .argument('<id>', 'for example in-7')
    .option('--out <dir>', 'also write report.html and report.json there')
    .option('--stale', 'also list the orgs that changed before they were written')
    .action((id: string, flags: ShowPlanFlags) =>
      execute(async (session) => (await import('./plans.js')).runShowPlan(session, id, flags)),
    );
  plans
    .command('diff')
    .description('list the orgs that get another result in the second of two plans of a data center, and why')
    .argument('<a>', 'for example in-7')
    .argument('<b>', 'for example in-8')
    .action((from: string, to: string) =>
      execute(async (session) => (await import('./plans.js')).runDiffPlans(session, from, to)),
    );
  cli
    .command('approve')
    .description(
      'approve a plan, an override, a repair, an undo, a cut-over, a moved cell or a change of the policy that somebody proposed',
    )
    .argument(
      '<id>',
      'a plan (in-7), an override (in-o3), a repair (in-p3), a postponement (in-c3), a reversal (in-r2), an undo (in-u2), a moved cell (in-a1), a change of the policy (s3)',
    )
    .action((id: string) => execute(async (session) => (await import('./approve.js')).runApprove(session, id)));
  cli
    .command('protect')
    .description('keep an org out of canaries, and require approval of plans that would write it')
    .argument('<org>', ORG_TEXT)
    .requiredOption('--dc <id>', 'the data center')
    .option('--remove', 'end the protection')
    .action((org: string, flags: ProtectFlags) =>
      execute(async (session) => (await import('./protect.js')).runProtect(session, org, flags)),
    );
  cli
    .command('override')
    .description("propose another floor for an org; a second person's approval applies it")
    .argument('<org>', ORG_TEXT)
    .requiredOption('--dc <id>', 'the data center')
    .option('--floor <credits>', 'credits a day, or none', parseFloor)
    .option('--withdraw', 'withdraw the open proposal instead')
    .action((org: string, flags: OverrideFlags) =>
      execute(async (session) => (await import('./override.js')).runOverride(session, org, flags)),
    );
}

function registerRollout(cli: Command, execute: Execute): void {
  cli
    .command('apply')
    .description('show what a rollout would do; with --execute, request it')
    .option('--dc <ids...>', 'these data centers')
    .option('--all', 'every data center, in order')
    .option('--plan <id>', 'exactly this plan')
    .option('--execute', 'do it')
    .option('--revision <n>', REVISION, parseCount(MAX_REVISION))
    .option('--wait', 'wait until each one is done, failed or aborted, or is held and needs a person')
    .action((flags: ApplyFlags) => execute(async (session) => (await import('./apply.js')).runApply(session, flags)));
  cli
    .command('wait')
    .description('wait until rollouts that are under way are done, failed or aborted, or need a person')
    .option('--dc <ids...>', 'these data centers')
    .option('--all', 'every data center')
    .action((choice: DataCenterChoice) =>
      execute(async (session) => (await import('./wait.js')).runWait(session, choice)),
    );
  cli
    .command('status')
    .description('show the stage of every data center, why it is held, and the command that continues it')
    .option('--watch', 'repeat until Ctrl-C')
    .option('--line', 'one line per data center, for logs')
    .option('--within <seconds>', 'answer after so many seconds, whatever is down', parseCount(MAX_WITHIN), 2)
    .action((flags: StatusFlags) =>
      execute(async (session) => (await import('./status.js')).runStatus(session, flags)),
    );
  cli
    .command('calendar')
    .description('show when starts, windows, bakes, nightly runs, cut-overs and clock changes happen')
    .option('--from <when>', 'local date or time in each zone; left out: now')
    .option('--to <when>', 'likewise, not included; left out: 14 days later')
    .option('--dc <ids...>', 'only these data centers')
    .action((flags: CalendarFlags) =>
      execute(async (session) => (await import('./calendar.js')).runCalendar(session, flags)),
    );
}

function registerChecks(cli: Command, execute: Execute): void {
  cli
    .command('verify')
    .description('check every stored allotment against the rule, name those that break it, and prove the cut-over')
    .option('--dc <ids...>', 'these data centers')
    .option('--all', 'every data center')
    .option('--limit <n>', 'name at most so many orgs of each data center', parseCount(MAX_ROWS), 50)
    .action((flags: VerifyFlags) =>
      execute(async (session) => (await import('./verify.js')).runVerify(session, flags)),
    );
  cli
    .command('repair')
    .description('show how to put back the allotments that break the rule, which verify names; with --execute, do it')
    .requiredOption('--dc <id>', 'the data center')
    .option('--revision <n>', REVISION, parseCount(MAX_REVISION))
    .option('--execute', 'do it; where a paid org would fall, propose it to a second person; needs --reason')
    .action((flags: RepairFlags) =>
      execute(async (session) => (await import('./repair.js')).runRepair(session, flags)),
    );
  cli
    .command('reconcile')
    .description('show which allotments no longer match their inputs; with --execute, request that they are healed')
    .option('--dc <id>', 'the data center')
    .option('--execute', 'do it')
    .option('--revision <n>', REVISION, parseCount(MAX_REVISION))
    .option('--accept-falls', 'also lower allotments beyond the limits of a nightly run; a second person approves it')
    .option('--withdraw', 'withdraw the proposal to accept falls')
    .option('--history', 'list the nightly runs of the past, and what they found')
    .option('--csv', 'the history as CSV')
    .option('--limit <n>', 'list at most so many orgs or nightly runs', parseCount(MAX_ROWS), 50)
    .action((flags: ReconcileFlags) =>
      execute(async (session) => (await import('./reconcile.js')).runReconcile(session, flags)),
    );
  cli
    .command('why')
    .description("show one org's number and where it comes from")
    .argument('<org>', ORG_TEXT)
    .requiredOption('--dc <id>', 'the data center')
    .action((org: string, { dc }: DataCenterFlag) =>
      execute(async (session) => (await import('./why.js')).runWhy(session, org, dc)),
    );
  cli
    .command('quarantine')
    .description('list the orgs that could not be decided, and why')
    .requiredOption('--dc <id>', 'the data center')
    .option('--limit <n>', 'list at most so many orgs', parseCount(MAX_ROWS), 100)
    .action((flags: QuarantineFlags) =>
      execute(async (session) => (await import('./quarantine.js')).runQuarantine(session, flags)),
    );
  cli
    .command('audit')
    .description('list who did what, when and why; with --verify, prove that nobody changed it')
    .option('--dc <id>', 'only this data center; with --accept-cut, only what its cell keeps')
    .option('--by <person>', 'only what this person or process did', parseName)
    .option('--action <verb>', 'only this action, for example approve', parseName)
    .option('--from <when>', 'a local date or time, in the zone of --dc, else in UTC')
    .option('--to <when>', 'likewise, not included')
    .option('--csv', 'as CSV')
    .option(
      '--verify',
      'check the hashes of all entries instead; 5: one is not what was recorded, 4: a cell could not be compared',
    )
    .option('--head <link:hash>', 'also compare with a head that --verify showed before; may be repeated', parseHead)
    .option(
      '--accept-cut',
      'with --verify: show what control has lost of what cells keep heads of, as after a restore; with --execute, propose to accept it',
    )
    .option('--execute', 'with --accept-cut: do it; needs --reason')
    .option('--withdraw', 'with --accept-cut: withdraw the open proposal instead')
    .option('--limit <n>', 'list at most so many entries', parseCount(MAX_ROWS), 50)
    .action((flags: AuditFlags) => execute(async (session) => (await import('./audit.js')).runAudit(session, flags)));
  cli
    .command('rate-card')
    .description('work on the rate card')
    .command('check')
    .description('read the rate card, run its golden cases and count the branches that none covers')
    .argument('[file]', "the card's file; default: the configured one")
    .action((file: string | undefined) =>
      execute(async (session) => (await import('./rate-card.js')).runCheckCard(session, file)),
    );
}
