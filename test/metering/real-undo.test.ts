// A rollout and its undo under running meters, which read the views of a real cell: what an org is held to on that day,
// and from its next reset on.
import { afterEach, expect, test } from 'vitest';
import { approveUndo, requestUndo } from '../../src/engine/undo/request-undo.js';
import { createMeterCell } from '../../src/engine/usage/meter-cell.js';
import { parseProposalId } from '../../src/kernel/proposal-id.js';
import { createMemoryMeterStore } from '../../src/stores/meter/memory-meter-store.js';
import type { MeterStore } from '../../src/stores/meter/meter-store.js';
import { connectMeterRedis, createRedisMeterStore } from '../../src/stores/meter/redis-meter-store.js';
import { createFleet, type Fleet } from '../support/fleet.js';
import { createPeople } from '../support/person.js';
import { redisAvailable, startTestRedis } from '../support/redis.js';
import { createHandClock, openMeter } from './meter-scene.js';

const HOUR = 3_600_000;
/** In the future: Redis keeps nothing of days that are long over. */
const NOON = Date.UTC(2030, 4, 5, 12);

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Proposes it as one person, approves it as another, and lets it run. */
async function undo(fleet: Fleet): Promise<void> {
  const { people, drop } = await createPeople(fleet, 'ana', 'bob');
  closers.push(drop);
  const [ana, bob] = people;
  if (ana === undefined || bob === undefined) throw new Error('there are two people');
  const question = { dataCenter: fleet.cell(0).dataCenter.id, limit: 20, reason: 'a wrong card' };
  const id = parseProposalId((await requestUndo(ana.engine, question)).undoId ?? '');
  if (id?.kind !== 'undo') throw new Error('there is an undo to approve');
  await approveUndo(bob.engine, id, 'seen');
  await fleet.drive();
  expect(await fleet.stages()).toEqual(['undone']);
}

async function openRedisStore(now: () => number): Promise<MeterStore> {
  const server = await startTestRedis();
  closers.push(() => server.remove());
  const redis = connectMeterRedis(server.url, { timeoutMs: 20_000 });
  closers.push(() => redis.disconnect());
  await new Promise((resolve) => redis.once('ready', resolve));
  return createRedisMeterStore(redis, now);
}

function openGateway(fleet: Fleet, store: MeterStore, clock: ReturnType<typeof createHandClock>) {
  const { readLimits } = createMeterCell(fleet.cell(0).cell, clock);
  let reading: Promise<unknown> = Promise.resolve();
  const readCapacity: typeof readLimits = (ids) => {
    const read = readLimits(ids);
    reading = read;
    return read;
  };
  const { meter } = openMeter(store, { clock, zone: 'UTC', readCapacity });
  closers.push(() => meter.close());
  /** Calls one after the other; what the last one was told of what is left, or why it was refused. */
  const ask = async (orgId: string, kind: string, calls = 1): Promise<string | undefined> => {
    let told: string | undefined;
    for (let asked = 0; asked < calls; asked += 1) {
      const { body, headers, release } = await meter.acquire({ orgId, kind });
      release();
      told = body?.code ?? headers.RateLimit?.split(';t=')[0];
    }
    return told;
  };
  const limits = async (): Promise<readonly (number | null)[]> =>
    [await meter.details('1'), await meter.details('2')].map(({ limit }) => limit);
  return { ask, limits, isRead: () => reading };
}

test('an org that is undone keeps the larger number until its reset, in memory and on Redis', async () => {
  const fleet = await createFleet({ cells: [{ orgs: [{ legacy_limit: 20 }, { legacy_limit: 20 }] }] });
  closers.push(fleet.drop);
  const clock = createHandClock(NOON);
  const now = (): number => clock.nowMs;
  const stores = [createMemoryMeterStore(now), ...(redisAvailable() ? [await openRedisStore(now)] : [])];
  const gateways = stores.map((store) => openGateway(fleet, store, clock));
  const ofAll = <T>(look: (gateway: (typeof gateways)[number]) => Promise<T>): Promise<readonly T[]> =>
    Promise.all(gateways.map(look));
  const everywhere = <T>(expected: T): readonly T[] => gateways.map(() => expected);
  const refresh = async (): Promise<void> => {
    await clock.move(10_000);
    await ofAll(({ isRead }) => isRead());
    await clock.move(5);
  };

  // the day of org 1 begins in calls, that of org 2 after the rollout, in credits
  expect(await ofAll(({ ask }) => ask('1', 'count', 2))).toEqual(everywhere('"calls";r=18'));
  await fleet.apply(fleet.cell(0));
  expect(await fleet.drive()).toEqual(['done']);
  await refresh();
  expect(await ofAll(({ ask }) => ask('1', 'count'))).toEqual(everywhere('"calls";r=124997'));
  expect(await ofAll(({ ask }) => ask('2', 'count'))).toEqual(everywhere('"credits";r=124950'));

  await undo(fleet);
  await refresh();
  expect(await ofAll(({ ask }) => ask('1', 'count', 25))).toEqual(everywhere('"calls";r=124972'));
  expect(await ofAll(({ ask }) => ask('2', 'count', 25))).toEqual(everywhere('"credits";r=123700'));
  expect(await ofAll(({ limits }) => limits())).toEqual(everywhere([125_000, 125_000]));

  await clock.move(12 * HOUR);
  await clock.move(5);
  for (const org of ['1', '2']) {
    expect(await ofAll(({ ask }) => ask(org, 'count', 20))).toEqual(everywhere('"calls";r=0'));
    expect(await ofAll(({ ask }) => ask(org, 'get'))).toEqual(everywhere('THRESHOLD_EXCEEDED'));
  }
  expect(await ofAll(({ limits }) => limits())).toEqual(everywhere([20, 20]));
});
