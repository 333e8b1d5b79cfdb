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
const SAME_ON_EVERY_VERSION = new Map([
  [
    'test/platform/embedded/postgres.test.ts',
    'Holds how the embedded server is started and shared, which is the same server in both runs.',
  ],
  [
    'test/residency/jobs.test.ts',
    'Plays failing jobs and searches what they left. What a version says in its errors is in residency/commands.',
  ],
  [
    'test/cli/commands/flows.test.ts',
    'Holds what commands print, one after the other. What they ask of the databases is in the suites of the engine.',
  ],
  [
    'test/cli/commands/usage.test.ts',
    'Holds what the commands of usage print. Their SQL is in engine/usage and attacks/cell-usage.',
  ],
  [
    'test/cli/commands/settings.test.ts',
    'Holds what the commands of the policy print. Its rules are triggers, which attacks/control-policy has on both.',
  ],
  [
    'test/cli/commands/plans.test.ts',
    'Holds what the commands of plans print. Their SQL is in engine/plan/plans-compare and plans-outcome.',
  ],
  [
    'test/cli/commands/rate-card.test.ts',
    'Holds what the checks of a rate card print. The rule in SQL is compared in stores/cell/org/decided.',
  ],
  ['test/cli/commands/rate-card-guards.test.ts', 'Holds which cards are refused, before a database is asked.'],
  ['test/cli/views/show.test.ts', 'Holds what a terminal shows of documents that are given.'],
  ['test/cli/arguments/arguments.test.ts', 'Holds how arguments are read. No version of PostgreSQL sees them.'],
  [
    'test/engine/operate/read-calendar.test.ts',
    'Holds which events are listed, decided from rows. Their SQL is read by every night on both.',
  ],
  [
    'test/faults/schedulers-crash.test.ts',
    'Our own processes die here. What a dead one leaves in a database is in engine/scheduler/failed-steps.',
  ],
  [
    'test/faults/canaries.test.ts',
    'Holds when a canary is due, by our clock. What it writes is in engine/batch/apply-batches.',
  ],
  ['test/jobs/scheduler.test.ts', 'Holds how a service starts and stops, which no version of PostgreSQL decides.'],
  [
    'test/faults/redis-queue.test.ts',
    'Redis is what fails here. What a queue asks of the databases is in queue-scenarios.ts, which postgres-queue runs.',
  ],
  [
    'test/scripts/bench.test.ts',
    'Holds what the benchmark prints, and it measures on the embedded server. Its product is what all suites run.',
  ],
  [
    'test/docs/first-rollout.test.ts',
    'Holds the lines that a document shows, which is about the embedded server. Its commands are those of test/cli.',
  ],
  [
    'test/retention/nights.test.ts',
    'Plays 400 nights to see what grows. What they write and what is purged is SQL that the suites of nights run on both.',
  ],
  [
    'test/platform/embedded/other-users.test.ts',
    'Holds who may reach the files and processes of the embedded server, which no version of PostgreSQL decides.',
  ],
  [
    'test/faults/schedulers-race.test.ts',
    'Our own processes race here. What they ask of the databases is in postgres-queue and in the suites of the engine.',
  ],
  [
    'test/faults/workers.test.ts',
    'Our own processes die here. What a dead one leaves in a database is in apply-batches and databases-away.',
  ],
  [
    'test/faults/clocks.test.ts',
    'Clocks are wrong here, of our processes and of a server. What they are compared with is SQL of the suites of gates.',
  ],
  [
    'test/cli/hostile/commands.test.ts',
    'Holds what a terminal shows of hostile text. No version of PostgreSQL changes a text on its way there.',
  ],
  [
    'test/cli/commands/raising-view.test.ts',
    'Holds what commands show of errors that code raises. What a version says of them is in stores/postgres-failure.',
  ],
  [
    'test/faults/queue-delivery.test.ts',
    'Servers of queues refuse here, most of them Redis. What a queue asks of PostgreSQL is in postgres-queue.',
  ],
  [
    'test/cli/commands/width.test.ts',
    'Holds that what commands print fits a terminal. No version of PostgreSQL changes how wide a line is.',
  ],
  [
    'test/cli/commands/status-in-time.test.ts',
    'Holds how long status waits for a server that says nothing, which no version of PostgreSQL decides.',
  ],
  [
    'test/faults/injected-errors.test.ts',
    'Holds what commands make of errors that a proxy plants. What a version says itself is in stores/postgres-failure.',
  ],
  [
    'test/docs/own-postgres.test.ts',
    'Holds that the commands of a document work as it says. They are those of test/cli.',
  ],
  [
    'test/faults/absent-cells.test.ts',
    'Holds when a cell that does not answer is asked again. No version of PostgreSQL answers there.',
  ],
  [
    'test/faults/databases-away.test.ts',
    'Takes databases away in the middle of a rollout. What each step asks of them is in the suites of the engine.',
  ],
  [
    'test/faults/tls-postgres.test.ts',
    'Holds which certificates are trusted, which Node decides before PostgreSQL is asked.',
  ],
  [
    'test/faults/injected-errors.test.ts',
    'A proxy gives the errors of a server here, of every class, whatever version is behind it.',
  ],
  ['test/cli/commands/odd-names.test.ts', 'Holds how names are quoted, which is the same in every version.'],
  [
    'test/cli/commands/apply-plan.test.ts',
    'Holds what the command says of plans that it refuses. Their rules are in engine/plan/follow-plan.',
  ],
  [
    'test/cli/commands/reconcile.test.ts',
    'Holds what the command prints. The nights are in engine/reconcile and scenarios/logins.',
  ],
  [
    'test/cli/commands/approvals.test.ts',
    'Holds what the commands print. Who may approve what is in the attacks and in scenarios/logins.',
  ],
  [
    'test/cli/commands/audit-rows.test.ts',
    'Holds that each verb leaves its row. Who is named in it is in attacks/control-people, on both.',
  ],
  ['test/engine/operate/read-metrics.test.ts', 'Holds what Prometheus reads. Its SQL is that of status.'],
  ['test/support/invariants.test.ts', 'Holds that the invariants of tests see what is broken. It breaks rows itself.'],
  ['test/sample/seed-orgs.test.ts', 'Holds the orgs of the embedded default, which has a server of its own.'],
]);

const named = [...doors, ...[...SAME_ON_EVERY_VERSION.keys()].map((path) => join(ROOT, path))];
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
for (const path of reaching.filter((test) => !SAME_ON_EVERY_VERSION.has(test)).sort()) console.log(path);
