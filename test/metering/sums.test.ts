// Without faults, whatever gateways, clients and drains do: no org spends more than its limit of a day, and what reaches
// its cell is what was granted without what was given back.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findMeterDay } from '../../src/domain/meter/meter-day.js';
import { type DayUsage, mergeUsage } from '../../src/domain/meter/usage.js';
import type { Admission } from '../../src/meter/admission.js';
import { createMemoryMeterStore } from '../../src/stores/meter/memory-meter-store.js';
import { createHandClock, onCredits, openMeter } from './meter-scene.js';

const ZONE = 'Asia/Kolkata';
const LIMITS = { one: 120, other: 7 } as const;

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      does: fc.constant('ask' as const),
      gateway: fc.nat(2),
      orgId: fc.constantFrom('one', 'other'),
      kind: fc.constantFrom('get', 'list', 'update_many', 'count', 'nothing that the card has'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ does: fc.constant('end' as const), status: fc.constantFrom(200, 404, 500, 503) }),
  },
  fc.record({ does: fc.constant('wait' as const), ms: fc.constantFrom(1, 5, 1_000) }),
  fc.record({ does: fc.constant('drain' as const), confirms: fc.boolean() }),
  fc.record({ does: fc.constant('midnight' as const) }),
);

/** By org and day. */
class Sums extends Map<string, number> {
  add(key: string, credits: number): void {
    this.set(key, (this.get(key) ?? 0) + credits);
  }
}

interface Running {
  readonly admission: Admission;
  readonly key: string;
  readonly credits: number;
}

test('no org spends more than it has, and its cell has what was granted less what was given back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const clock = createHandClock(Date.UTC(2026, 4, 4, 18, 30));
      const store = createMemoryMeterStore(() => clock.nowMs);
      const gateways = [1, 2, 3].map(() => openMeter(store, { clock }));
      for (const { orgs } of gateways) for (const [id, limit] of Object.entries(LIMITS)) orgs.set(id, onCredits(limit));
      const [granted, cell] = [new Sums(), new Map<string, DayUsage>()];
      let running: Running[] = [];
      const end = (one: Running | undefined, status: number): void => {
        if (status >= 500 && one !== undefined) granted.add(one.key, -one.credits);
        one?.admission.release(status);
        one?.admission.release(500);
      };
      const drain = async (confirms: boolean): Promise<void> => {
        const days = await store.collect(100, 'first');
        for (const day of days) {
          const key = `${day.orgId} ${day.day}`;
          cell.set(key, mergeUsage(cell.get(key) ?? day, day));
        }
        if (confirms) await store.confirm(days);
      };
      for (const one of [...steps, { does: 'midnight' } as const]) {
        if (one.does === 'ask') {
          const { meter } = gateways[one.gateway] ?? gateways[0] ?? expect.fail();
          const admission = await meter.acquire(one);
          const key = `${one.orgId} ${findMeterDay(clock.nowMs, ZONE).day}`;
          const { credits } = meter.quote(one);
          if (admission.allowed) running.push({ admission, key, credits });
          if (admission.allowed) granted.add(key, credits);
        }
        if (one.does === 'end') end(running.shift(), one.status);
        if (one.does === 'wait') await clock.move(one.ms);
        if (one.does === 'drain') await drain(one.confirms);
        if (one.does === 'midnight') {
          for (const call of running) end(call, 200);
          running = [];
          await clock.move(5);
          // a round leaves what has grown since the one before began
          for (const confirms of [true, true]) await drain(confirms);
          await clock.move(findMeterDay(clock.nowMs, ZONE).endMs - clock.nowMs);
        }
        for (const [key, credits] of granted)
          expect(credits).toBeLessThanOrEqual(key.startsWith('one ') ? LIMITS.one : LIMITS.other);
      }
      for (const { meter } of gateways) await meter.close();
      const recorded = [...cell].map(([key, usage]) => [key, usage.credits - usage.creditsGivenBack] as const);
      // of a day on which everything was refused, or given back, one of both may know nothing
      const some = (sums: Iterable<readonly [string, number]>) =>
        new Map([...sums].filter(([, credits]) => credits > 0));
      expect(some(recorded)).toEqual(some(granted));
    }),
    { numRuns: 100 },
  );
});
