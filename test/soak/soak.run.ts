// One soak: life, faults, questions and measurements until the time is over; then everything heals, comes to its end,
// and is asked for the last time.
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requestReconcile } from '../../src/engine/reconcile/request-reconciliation.js';
import { systemClock } from '../../src/kernel/clock.js';
import { waitFor } from '../support/wait.js';
import { createChecker, type Violation } from './check-invariants.js';
import { type Crew, startCrew } from './crew.js';
import { type Fault, listFaults } from './faults.js';
import { startOperators } from './operators-life.js';
import { createRandom, isShort, readSoakOptions, type SoakOptions } from './options.js';
import { startProduct } from './product-life.js';
import { describeOutcome, type Outcome, print } from './report.js';
import { createWatch } from './watch-growth.js';
import { openWorld, type World } from './world.js';

const SETTLE_MS = { short: 120_000, usual: 300_000 } as const;
/** Of the time, after which the cut-over comes. */
const CUTOVER_AT = 0.7;

test('a soak', async () => {
  const options = readSoakOptions();
  const world = await openWorld(options);
  let outcome: Outcome | undefined;
  const crew = await startCrew(world);
  try {
    outcome = await soak(options, world, crew);
  } finally {
    const outputs = await crew.stop();
    if (outcome === undefined || outcome.violations.length > 0) await keepLogs(options, world, outputs, outcome);
    await world.close();
  }
  print(describeOutcome(options, outcome));
  expect(outcome.violations).toEqual([]);
});

async function soak(options: SoakOptions, world: World, crew: Crew): Promise<Outcome> {
  const { seed, seconds, orgs } = options;
  const began = systemClock.now().getTime();
  const passed = (): number => systemClock.now().getTime() - began;
  const isOver = (): boolean => passed() > seconds * 1_000;
  // one for each, so that what one does changes nothing of the others
  const product = startProduct(world, createRandom(seed + 1), orgs);
  const operators = startOperators(world, createRandom(seed + 2), options);
  const checker = createChecker(world);
  const watch = createWatch(world, crew);
  const found = new Map<string, Violation & { readonly atS: number }>();
  const note = (violations: readonly Violation[]): void => {
    for (const one of violations) {
      const key = `${one.id} ${one.where} ${one.holds}`;
      if (found.has(key)) continue;
      found.set(key, { ...one, atS: Math.round(passed() / 1_000) });
      print(`!! ${one.id} in ${one.where} after ${Math.round(passed() / 1_000)} s: ${one.holds}`);
    }
  };
  const injected = new Map<string, { times: number; failed: number }>();
  const loop = async (everyMs: number, act: () => Promise<void>): Promise<void> => {
    while (!isOver()) {
      await act();
      await systemClock.sleep(everyMs);
    }
  };
  const faults = listFaults(world, crew, createRandom(seed + 3), isShort(options) ? 0.1 : 1);
  const random = createRandom(seed);
  const cutOver = async (): Promise<void> => {
    await systemClock.sleep(seconds * CUTOVER_AT * 1_000);
    await operators.cutOverIn(Math.min(30, 3 + seconds * 0.05), isOver);
  };
  await Promise.all([
    injectFaults(faults, injected, () => isOver(), random, isShort(options) ? 'quick' : 'usual'),
    loop(isShort(options) ? 3_000 : 8_000, async () =>
      note(await checker.check(isShort(options) ? 'at_once' : 'moving')),
    ),
    loop(isShort(options) ? 1_000 : 2_000, () => watch.sample(passed())),
    loop(1_000, async () => {
      const dead = await crew.findDead();
      note(dead.map((row) => ({ id: 'PROCESS', where: 'here', holds: 'no process ends by itself', rows: [row] })));
    }),
    cutOver(),
  ]);
  print(`== healed after ${Math.round(passed() / 1_000)} s: everything comes to its end`);
  for (const proxy of Object.values(world.proxies)) proxy.heal();
  history.push(`${systemClock.now().toISOString()} healed`);
  for (const server of Object.values(world.servers)) await server.ensureRunning();
  await crew.clock?.set(0);
  await product.stop();
  operators.mood = 'finish';
  let isSettled = false;
  // a rollout that was refused until now pins its instant first
  const cuttingOver = operators.cutOverIn(2, () => isSettled);
  const rests = await settle(world, SETTLE_MS[isShort(options) ? 'short' : 'usual']).then(
    () => [],
    (error: unknown) => [error instanceof Error ? error.message : String(error)],
  );
  isSettled = true;
  await cuttingOver;
  await operators.stop();
  if (rests.length > 0)
    note([
      {
        id: 'LIVENESS',
        where: 'everywhere',
        holds: 'everything comes to its end',
        rows: [...rests, await describeWaits(world)],
      },
    ]);
  note(await checker.check('rest'));
  await watch.sample(passed());
  note(
    operators.unexpected.map((row) => ({
      id: 'OPERATOR',
      where: row.slice(0, 100),
      holds: 'no command fails unexpectedly',
      rows: [row],
    })),
  );
  const growth = watch.report();
  note(
    growth
      .filter(({ verdict }) => verdict === 'grows')
      .map((row) => ({ id: 'GROWTH', where: row.name, holds: 'nothing grows without an end', rows: [row] })),
  );
  return {
    seconds: Math.round(passed() / 1_000),
    violations: [...found.values()],
    ...{ injected, growth, asked: checker.asked(), product: product.done },
    ...{ operators: operators.done, refused: operators.refused },
  };
}

/** Where there is little time, each kind comes so often before the weights decide. */
const ROUNDS = { quick: 3, usual: 1 } as const;

/** Each kind in a random order, then by their weights. */
async function injectFaults(
  faults: readonly Fault[],
  injected: Map<string, { times: number; failed: number }>,
  isOver: () => boolean,
  random: ReturnType<typeof createRandom>,
  pace: keyof typeof ROUNDS,
): Promise<void> {
  const weighted = faults.flatMap((fault) => Array.from({ length: fault.weight }, () => fault));
  const rounds = Array.from({ length: ROUNDS[pace] }, () => [...faults].sort(() => random.next() - 0.5));
  const first = rounds.flat();
  const [fromMs, toMs] = pace === 'usual' ? [200, 4_000] : [20, 100];
  await systemClock.sleep(1_000);
  while (!isOver()) {
    const fault = first.pop() ?? random.pick(weighted);
    const counts = injected.get(fault.kind) ?? { times: 0, failed: 0 };
    injected.set(fault.kind, counts);
    counts.times += 1;
    history.push(`${systemClock.now().toISOString()} ${fault.kind}`);
    await inTime(fault).catch((error: unknown) => {
      counts.failed += 1;
      print(`-- ${fault.kind} failed: ${error instanceof Error ? error.message : String(error)}`);
    });
    history.push(`${systemClock.now().toISOString()} ${fault.kind}: over`);
    await systemClock.sleep(random.between(fromMs, toMs));
  }
}

/** When each fault began and was over. */
const history: string[] = [];
const FAULT_MS = 120_000;

async function inTime(fault: Fault): Promise<void> {
  const late = new AbortController();
  const limit = systemClock.sleep(FAULT_MS, late.signal).then(() => {
    if (!late.signal.aborted) throw new Error('it is not over after two minutes');
  });
  await Promise.race([fault.inject(), limit]).finally(() => late.abort());
}

/** Both are done and cut over, what was asked for has ended, and a last night has run. */
async function settle(world: World, forMs: number): Promise<void> {
  const { fleet } = world;
  const isAtRest = async (): Promise<boolean> => {
    const [row] = await fleet.control(`select
      (select bool_and(stage = 'done' and requested_at is null and quiet and gate_swept_at is not null)
        from credit_rollout_control.data_centers)
      and not exists (select from credit_rollout_control.runs where state = 'open')
      and not exists (select from credit_rollout_control.reconcile_requests
        where ended_at is null and state <> 'proposed') as rests`);
    return row?.rests === true;
  };
  await waitFor('both data centers to be done and cut over', isAtRest, { forMs, everyMs: 500 });
  for (const { dataCenter } of fleet.cells)
    await requestReconcile(world.alice, { dataCenter: dataCenter.id, reason: 'the last one' });
  await waitFor('the last night', isAtRest, { forMs, everyMs: 500 });
}

async function describeWaits({ fleet }: World): Promise<unknown> {
  return {
    dataCenters:
      await fleet.control(`select id, stage, intent, requested_at, quiet, failure, gate_latched_at, gate_swept_at
      from credit_rollout_control.data_centers`),
    holds: await fleet.control('select data_center, code, value from credit_rollout_control.holds'),
    runs: await fleet.control(`select * from credit_rollout_control.runs where state = 'open'`),
    steps: await fleet.control('select * from credit_rollout_control.failed_steps'),
  };
}

async function keepLogs(
  { keep }: SoakOptions,
  world: World,
  outputs: readonly string[],
  outcome: Outcome | undefined,
): Promise<void> {
  await mkdir(keep, { recursive: true });
  await writeFile(join(keep, 'processes.log'), outputs.join('\n'));
  await writeFile(join(keep, 'faults.log'), history.join('\n'));
  await writeFile(join(keep, 'violations.json'), JSON.stringify(outcome?.violations ?? [], null, 2));
  for (const server of Object.values(world.servers))
    for (const folder of server.logs())
      await cp(join(folder, 'server.log'), join(keep, `${folder.split('/').at(-1)}.log`)).catch(() => undefined);
  print(`== what the servers and processes wrote is kept in ${keep}`);
}
