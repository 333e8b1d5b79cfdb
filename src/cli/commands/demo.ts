// `demo`, which `npm start` runs: the whole rollout of the sample data centers on the embedded servers, shown live,
// then a day of metered calls. Never reads a configuration. Stops everything that it started; run again, it continues
// where it stopped.

import type { Program } from '../../compose.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { readStatus, type Status } from '../../engine/operate/read-status.js';
import { triage } from '../../engine/operate/triage.js';
import { planDataCenter } from '../../engine/plan/plan-data-center.js';
import { requestApply } from '../../engine/rollout/request-rollout.js';
import { initAll } from '../../engine/setup/init-all.js';
import { command } from '../../kernel/advice.js';
import { loadCheckedCard } from '../arguments/load-checked-card.js';
import { meterSamples } from '../processes/meter-samples.js';
import { createServing } from '../processes/start-processes.js';
import { listenForInterruption, signalExitCode, type WatchOutcome, watchRollout } from '../processes/watch-rollout.js';
import { withProgram } from '../processes/with-program.js';
import { chooseExitCode, exitCodeOf } from '../terminal/exit-code.js';
import { showChange, showCount, showOrgs } from '../terminal/numbers.js';
import type { CliSession } from '../terminal/session.js';
import { showMeteredSamples } from '../views/show-metered-samples.js';
import { statusDocument } from '../views/show-state.js';
import { showSummary } from '../views/show-summary.js';

const CONNECTIONS = 8;
/** An org of the first sample data center. */
const SAMPLE_ORG = '1003778';

export async function runDemo(session: CliSession): Promise<number> {
  session.print('Starting the embedded PostgreSQL …');
  return withProgram(
    session,
    { from: 'embedded', says: 'nothing', cellConnections: () => CONNECTIONS },
    async (program) => {
      const card = await prepare(session, program);
      const triaged = await triage(program.engine, {
        config: program.config,
        card,
        dataCenters: program.config.dataCenters,
        busy: 'skipped',
      });
      if (triaged.requested.length + triaged.busy.length === 0) {
        session.print('\nEvery data center is done, and there is nothing to change.');
        return conclude(session, program, { card, status: await readStatus(program.engine), exitCode: 0 });
      }
      for (const { id } of triaged.requested) session.print(await describePlan(program, card, id));
      if (triaged.busy.length > 0) session.print(`Continuing where it stopped: ${triaged.busy.join(', ')}`);
      return serveRollout(session, program, card, async () => {
        const { config, engine } = program;
        if (triaged.requested.length > 0)
          await requestApply(engine, { config, card, dataCenters: triaged.requested, reason: session.options.reason });
      });
    },
  );
}

async function prepare(session: CliSession, program: Program): Promise<RateCard> {
  const card = await loadCheckedCard(program);
  const counts = await program.seedSamples();
  const { config, engine, initQueue } = program;
  await initAll(engine, { config, card, dataCenters: config.dataCenters, initQueue });
  const shown = config.dataCenters.map(({ id, zone }) => `${id} (${zone}, ${showOrgs(counts.get(id) ?? 0)})`);
  session.print(`Three sample data centers: ${shown.join(', ')}. Rate card ${card.name}.\n`);
  return card;
}

async function describePlan(program: Program, card: RateCard, id: string): Promise<string> {
  const { config, engine } = program;
  const { counts } = await planDataCenter(engine, { config, dataCenter: id, card, save: 'nothing' });
  return `Plan ${id}: ${showCount(counts.touched)} of ${showOrgs(counts.orgs)} to write, ${showCount(counts.legacyWins)} keep their legacy number, ${showCount(counts.quarantined)} quarantined; credits a day ${showChange(counts.before, counts.after)}`;
}

async function serveRollout(
  session: CliSession,
  program: Program,
  card: RateCard,
  request: () => Promise<void>,
): Promise<number> {
  const dataCenters = program.config.dataCenters.map(({ id }) => id);
  const serving = createServing(program);
  const interruption = listenForInterruption(session);
  let outcome: WatchOutcome;
  try {
    await serving.start({ dataCenters, concurrency: program.config.rollout.lanes });
    await request();
    session.print('');
    outcome = await watchRollout(session, program, { dataCenters, whenPaused: 'stays', interruption });
    if (outcome.kind !== 'stopped') await awaitCutovers(session, program);
  } finally {
    await serving.stop();
    interruption.close();
  }
  if (outcome.kind === 'stopped') {
    session.print('Stopped. Run it again to continue where it stopped.');
    return signalExitCode(outcome.signal);
  }
  // the samples hold undecidable orgs on purpose: they do not make the demonstration fail
  const codes = outcome.status.dataCenters.map(exitCodeOf).filter((code) => code !== 3);
  return conclude(session, program, { card, status: outcome.status, exitCode: chooseExitCode(codes) });
}

const TIMEOUT_MS = 20_000;
const POLL_INTERVAL_MS = 200;

/** The date of the samples has passed, so that each cut-over follows its data center within seconds. */
async function awaitCutovers(session: CliSession, { engine }: Program): Promise<void> {
  const until = performance.now() + TIMEOUT_MS;
  for (;;) {
    const { dataCenters } = await readStatus(engine);
    const left = dataCenters.filter(({ stage, cutover }) => stage === 'done' && cutover.sweptAt === null);
    if (left.length === 0 || performance.now() > until) {
      const over = dataCenters.filter(({ cutover }) => cutover.sweptAt !== null).map(({ id }) => id);
      if (over.length > 0)
        session.print(
          `\nCut over, with every earlier org checked: ${over.join(', ')}. New sign-ups start on credits there.`,
        );
      return;
    }
    await engine.clock.sleep(POLL_INTERVAL_MS);
  }
}

interface Ended {
  readonly card: RateCard;
  readonly status: Status;
  readonly exitCode: number;
}

async function conclude(session: CliSession, program: Program, { card, status, exitCode }: Ended): Promise<number> {
  const { commands, paint } = session;
  const done = status.dataCenters.filter(({ stage }) => stage === 'done').map(({ id }) => id);
  const ids = program.config.dataCenters.map(({ id }) => id);
  const metered = await meterSamples(session, program, { card, dataCenters: ids.filter((id) => done.includes(id)) });
  const id = ids[0] ?? '';
  const next = [
    [command('status'), 'the stage of every data center'],
    [command`plan --dc ${id}`, 'what an apply would do now: nothing'],
    [command`why ${SAMPLE_ORG} --dc ${id}`, "one org's number and where it comes from"],
    [command`quarantine --dc ${id}`, 'the orgs that could not be decided, and why'],
    [command`usage --dc ${id}`, 'what orgs use, and who has too little'],
    [command('verify --all'), 'every allotment against an independent statement of the rule'],
    [command('cutover show'), 'when new sign-ups started on credits'],
    [command('calendar'), 'what will happen when, in each data center'],
    [command('audit'), 'who did what, when and why'],
  ] as const;
  const longest = Math.max(...next.map(([one]) => commands.show(one).length));
  const lines = next.map(([one, what]) => `  ${commands.show(one).padEnd(longest)}  ${what}`);
  const view = { paint, width: session.width() };
  session.report(
    { status: statusDocument(status, commands), ...metered },
    [
      `\n${showSummary(status, ids, view)}`,
      ...showMeteredSamples(metered, view),
      `\nTry next:\n${lines.join('\n')}`,
    ].join('\n'),
  );
  return exitCode;
}
