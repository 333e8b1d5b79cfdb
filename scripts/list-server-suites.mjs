// Lists the test files that can reach a PostgreSQL server by their imports, one a line: those that a second version of
// PostgreSQL can tell apart. Goes by the text of the files, but for a few that are named here; a file too many costs
// time, a file too few a proof.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { ROOT } from './setup.mjs';

/** Who reaches one of these reaches a server. */
const DOORS = ['test/support/postgres.ts', 'src/platform/embedded/postgres.ts', 'src/platform/postgres.ts'];
const doors = new Set(DOORS.map((path) => join(ROOT, path)));

/** They reach a server, and yet say the same on every version. Each with why: what else holds it on the second one. */
const SAME_ON_EVERY_VERSION = [
  [
    'Holds how the embedded server is started and shared, which is the same server in both runs.',
    'test/platform/embedded/postgres.test.ts',
  ],
  [
    'Plays failing jobs and searches what they left. What a version says in its errors is in residency/commands.',
    'test/residency/jobs.test.ts',
  ],
  [
    'Holds what commands print, one after the other. What they ask of the databases is in the suites of the engine.',
    'test/cli/commands/flows.test.ts',
  ],
  [
    'Holds what the commands of usage print. Their SQL is in engine/usage and attacks/cell-usage.',
    'test/cli/commands/usage.test.ts',
  ],
  [
    'Holds what the commands of the policy print. Its rules are triggers, which attacks/control-policy has on both.',
    'test/cli/commands/settings.test.ts',
  ],
  [
    'Holds what the commands of plans print. Their SQL is in engine/plan/make-plan and plans-outcome.',
    'test/cli/commands/plans.test.ts',
  ],
  [
    'Holds what the checks of a rate card print. The rule in SQL is compared in stores/cell/org/decided.',
    'test/cli/commands/rate-card.test.ts',
  ],
  ['Holds which cards are refused, before a database is asked.', 'test/cli/commands/rate-card-guards.test.ts'],
  [
    'Compares the model of the simulation with a cell. What a version makes of a plan, a night or an undo is elsewhere.',
    'test/simulation/histories.test.ts',
  ],
  ['Holds what a terminal shows of documents that are given.', 'test/cli/views/show.test.ts'],
  ['Holds how arguments are read. No version of PostgreSQL sees them.', 'test/cli/arguments/arguments.test.ts'],
  [
    'Holds which events are listed, decided from rows. Their SQL is read by every night on both.',
    'test/engine/operate/read-calendar.test.ts',
  ],
  [
    'Holds whose an allotment is when several have changed it. The SQL of an undo is in engine/undo/undo on both.',
    'test/engine/undo/touched.test.ts',
  ],
  [
    'Holds what a silent connection does to a command. The server is a proxy that answers nothing.',
    'test/cli/commands/silent-server.test.ts',
  ],
  [
    'Holds what the commands of webhooks print. Their SQL is in engine/webhooks on both.',
    'test/cli/commands/webhooks.test.ts',
  ],
  [
    'Compares random lives with a model. What a version makes of an undo is in engine/undo/undo on both.',
    'test/engine/undo/histories.test.ts',
  ],
  [
    'Holds what each command says where a login or a database is missing. Their refusals are in attacks on both.',
    'test/cli/commands/every-command.test.ts',
  ],
  [
    'Holds what doctor says of slow sources. How they are measured is in engine/doctor/doctor-source on both.',
    'test/engine/doctor/check-ranges.test.ts',
  ],
  [
    'Our own processes die here. What a dead one leaves in a database is in engine/scheduler/failed-steps.',
    'test/faults/schedulers-crash.test.ts',
  ],
  [
    'Holds when a canary is due, by our clock. What it writes is in engine/batch/apply-batches.',
    'test/faults/canaries.test.ts',
  ],
  [
    'Holds that a standby which lags holds writes, with two servers of its own. The SQL of lag is in engine/batch/checks.',
    'test/engine/batch/standby.test.ts',
  ],
  ['Holds how a service starts and stops, which no version of PostgreSQL decides.', 'test/jobs/scheduler.test.ts'],
  ['Holds when a worker drains. What it writes is in engine/usage/record-usage.', 'test/jobs/drain-usage.test.ts'],
  [
    'Holds what a meter keeps on the day of an undo. What it reads is in engine/undo/undo and engine/usage/record-usage.',
    'test/metering/real-undo.test.ts',
  ],
  [
    'Holds how a worker finds its meter. What it writes is in engine/usage/record-usage.',
    'test/jobs/drain-worker.test.ts',
  ],
  [
    'Redis is what fails here. What a queue asks of PostgreSQL is in scenarios/logins and retention/queue.',
    'test/faults/redis-queue.test.ts',
  ],
  [
    'Holds what the benchmark prints, and it measures on the embedded server. Its product is what all suites run.',
    'test/scripts/bench.test.ts',
  ],
  [
    'Holds the lines that a document shows, which is about the embedded server. Its commands are those of test/cli.',
    'test/docs/first-rollout.test.ts',
  ],
  [
    'Plays many nights to see what grows. Their SQL is in life/night-search, purge-drift and plans-purge.',
    'test/retention/nights.test.ts',
  ],
  [
    'Holds who may reach the files and processes of the embedded server, which no version of PostgreSQL decides.',
    'test/platform/embedded/other-users.test.ts',
  ],
  [
    'Our own processes race here. What they ask of the databases is in the suites of the engine.',
    'test/faults/schedulers-race.test.ts',
  ],
  [
    'Our own processes die here. What a dead one leaves in a database is in apply-batches and databases-away.',
    'test/faults/workers.test.ts',
    'test/faults/sampler.test.ts',
  ],
  [
    'Clocks are wrong here, of our processes and of a server. What they are compared with is in cutover/gate-latch.',
    'test/faults/clocks.test.ts',
  ],
  [
    'Holds what a terminal shows of hostile text. No version of PostgreSQL changes a text on its way there.',
    'test/cli/hostile/commands.test.ts',
  ],
  [
    'Holds what commands show of errors that code raises. What a version says of them is in stores/postgres-failure.',
    'test/cli/commands/raising-view.test.ts',
  ],
  [
    'Servers of queues refuse here, most of them Redis. What a queue asks of PostgreSQL is in scenarios/logins.',
    'test/faults/queue-delivery.test.ts',
  ],
  [
    'Holds that what commands print fits a terminal. No version of PostgreSQL changes how wide a line is.',
    'test/cli/commands/width.test.ts',
  ],
  [
    'Holds how long status waits for a server that says nothing, which no version of PostgreSQL decides.',
    'test/cli/commands/status-in-time.test.ts',
  ],
  [
    'Holds what commands make of errors that a proxy plants. What a version says itself is in stores/postgres-failure.',
    'test/faults/injected-errors.test.ts',
  ],
  [
    'Holds that the commands of a document work as it says. They are those of test/cli.',
    'test/docs/own-postgres.test.ts',
  ],
  [
    'Holds when a cell that does not answer is asked again. No version of PostgreSQL answers there.',
    'test/faults/absent-cells.test.ts',
  ],
  [
    'Takes databases away in the middle of a rollout. What each step asks of them is in the suites of the engine.',
    'test/faults/databases-away.test.ts',
  ],
  [
    'Holds which certificates are trusted, which Node decides before PostgreSQL is asked.',
    'test/faults/tls-postgres.test.ts',
  ],
  ['Holds how names are quoted, which is the same in every version.', 'test/cli/commands/odd-names.test.ts'],
  [
    'Holds what the command says of plans that it refuses. Their rules are in engine/plan/follow-plan.',
    'test/cli/commands/apply-plan.test.ts',
  ],
  [
    'Holds what the command prints. The nights are in engine/reconcile and scenarios/logins.',
    'test/cli/commands/reconcile.test.ts',
  ],
  [
    'Holds what the commands print. Who may approve what is in the attacks and in scenarios/logins.',
    'test/cli/commands/approvals.test.ts',
  ],
  [
    'Holds that each verb leaves its row. Who is named in it is in attacks/control-people, on both.',
    'test/cli/commands/audit-rows.test.ts',
  ],
  ['Holds what Prometheus reads. Its SQL is that of status.', 'test/engine/operate/read-metrics.test.ts'],
  ['Holds that the invariants of tests see what is broken. It breaks rows itself.', 'test/support/invariants.test.ts'],
  ['Holds the orgs of the embedded default, which has a server of its own.', 'test/sample/seed-orgs.test.ts'],
  [
    'Our processes and sign-ups straddle an instant. What one transaction sees is in cutover/gate-latch.',
    'test/engine/cutover/straddle.test.ts',
  ],
  [
    'A queue on PostgreSQL is truncated and taken away. What it asks is in scenarios/logins and retention/queue.',
    'test/faults/postgres-queue.test.ts',
    'test/jobs/queue-worker.test.ts',
  ],
  [
    'PgBouncer is what could fail here: it decides which state a session keeps, whatever server is behind it.',
    'test/faults/pgbouncer.test.ts',
  ],
  [
    'Plays rows of the life of an org. The rule is in stores/cell/org/decided, nights are in life/night-search.',
    'test/scenarios/life/after-sweep.test.ts',
    'test/scenarios/life/after-sweep-payment.test.ts',
    'test/scenarios/life/moves-and-ends.test.ts',
    'test/scenarios/life/open-window.test.ts',
    'test/scenarios/life/people.test.ts',
  ],
  [
    'Plays nights tick by tick, and their limits. Their SQL is in life/night-search, life/tampering, scenarios/logins.',
    'test/engine/reconcile/night-life.test.ts',
    'test/scenarios/life/night-edits.test.ts',
    'test/scenarios/life/night-limits.test.ts',
  ],
  [
    'Holds when the feed runs, by our own processes. Its triggers and its SQL are in the other suites of engine/feed.',
    'test/engine/feed/feed-worker.test.ts',
  ],
  [
    'Holds which plans may run and how two differ, by plain joins. Making one is in the rest of engine/plan.',
    'test/engine/plan/guards-of-plan.test.ts',
    'test/engine/plan/outdated-plan.test.ts',
    'test/engine/plan/overridden-plan.test.ts',
    'test/engine/plan/plans-compare.test.ts',
  ],
  [
    'Holds who may decide on an override. What databases refuse is in attacks/control-approvals and cell-writes.',
    'test/engine/org/approve-override.test.ts',
    'test/engine/org/overrides-applied.test.ts',
  ],
  [
    'Plays runs that fail, stop or repeat. A batch is in engine/batch/apply-batches, a run in scenarios/logins.',
    'test/engine/rollout/broken-rules.test.ts',
    'test/engine/rollout/forgotten-runs.test.ts',
    'test/engine/rollout/pause-abort.test.ts',
    'test/engine/rollout/run-without-plan.test.ts',
    'test/engine/rollout/second-apply.test.ts',
    'test/engine/rollout/tick.test.ts',
  ],
  [
    'Holds which applies and configurations are refused, by rules of ours on a few rows.',
    'test/engine/batch/bad-applies.test.ts',
    'test/engine/cutover/pinned-instants.test.ts',
    'test/cli/commands/other-source.test.ts',
  ],
  [
    'Holds when people may cut over or reverse. What cell and control refuse is in cutover/reverse-rules and postpone.',
    'test/engine/cutover/execute.test.ts',
    'test/engine/cutover/reverse-approval.test.ts',
  ],
  [
    'Holds what a scheduler records and how often it asks, which is counted. Its SQL is run by scenarios/logins.',
    'test/engine/scheduler/cutover-alarms.test.ts',
    'test/engine/scheduler/record-due-work.test.ts',
  ],
  [
    'Holds what commands of a cut-over and a repair print. Their SQL is in engine/cutover and life/tampering.',
    'test/cli/commands/cutover.test.ts',
    'test/cli/commands/repair.test.ts',
  ],
  [
    'Asks no server: links of documents, and addresses where nothing listens.',
    'test/docs/links.test.ts',
    'test/engine/database-errors.test.ts',
    'test/faults/queue-url.test.ts',
  ],
  [
    'Holds that a false clock keeps the time-outs of a server, which our library of clocks decides.',
    'test/support/faketime.test.ts',
  ],
  [
    'Rolls out ids and sources of every shape. Types of ids are in stores/cell/org/orgs; ICU decides on collations.',
    'test/scenarios/id-types.test.ts',
  ],
  [
    'Holds plans of rare orgs, which the rule decides: stores/cell/org/decided compares it, make-plan has the SQL.',
    'test/engine/plan/plan-odd-orgs.test.ts',
  ],
  [
    'Holds what is said of an org, from rows that stores/cell/org/orgs and org-capacity read.',
    'test/engine/org/explain-org.test.ts',
  ],
  [
    'Holds what a freeze stops, by the fence and advisory locks that engine/batch/apply-batches takes.',
    'test/engine/operate/freeze.test.ts',
  ],
  [
    'Holds what status says of a cell without our schema and of waiting work. Its SQL is read in scenarios/logins.',
    'test/engine/operate/read-status.test.ts',
  ],
  [
    'Dumps a server of its own, of the oldest version that is installed, into the shared one: from 15 into 18 is enough.',
    'test/engine/setup/moved-cell.test.ts',
  ],
].flatMap(([, ...files]) => files);

const named = [...doors, ...SAME_ON_EVERY_VERSION.map((path) => join(ROOT, path))];
const missing = named.filter((path) => !existsSync(path));
if (missing.length > 0) {
  console.error(`list-server-suites.mjs names files that do not exist: ${missing.join(', ')}`);
  process.exit(1);
}

const imports = new Map();

function listImports(path) {
  const known = imports.get(path);
  if (known !== undefined) return known;
  const found = [...readFileSync(path, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/gu)]
    .map(([, target]) => join(dirname(path), target.replace(/\.js$/u, '.ts')))
    .filter((target) => existsSync(target));
  imports.set(path, found);
  return found;
}

function reachesServer(path, seen = new Set()) {
  if (doors.has(path)) return true;
  seen.add(path);
  return listImports(path).some((next) => !seen.has(next) && reachesServer(next, seen));
}

const tests = readdirSync(join(ROOT, 'test'), { recursive: true })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => join(ROOT, 'test', name));
const reaching = tests.filter((test) => reachesServer(test)).map((path) => relative(ROOT, path));
for (const path of reaching.filter((test) => !SAME_ON_EVERY_VERSION.includes(test)).sort()) console.log(path);
