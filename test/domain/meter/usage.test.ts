// Merging two readings of a day: in whatever order and however often, nothing is counted twice and nothing lost.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addUsage,
  createEmptyUsage,
  type DayUsage,
  METER_MODELS,
  mergeUsage,
  raiseUsage,
  subtractUsage,
  type ToldUsage,
  USAGE_COUNTERS,
} from '../../../src/domain/meter/usage.js';

const count = fc.nat(1_000_000);
const arbitraryUsage: fc.Arbitrary<DayUsage> = fc.record({
  orgId: fc.constant('7'),
  day: fc.constant('2025-10-06'),
  model: fc.constantFrom(...METER_MODELS),
  calls: count,
  credits: count,
  callsGivenBack: count,
  creditsGivenBack: count,
  refusedByCredits: count,
  refusedByConcurrency: count,
  peakInFlight: count,
  shadowByCredits: count,
  shadowByConcurrency: count,
  kinds: fc.dictionary(
    fc.constantFrom('fetch', 'list', 'constructor', 'to_string'),
    fc.record({ calls: count, credits: count }, { noNullPrototype: true }),
    { noNullPrototype: true },
  ),
});

describe('mergeUsage', () => {
  test('keeps the larger value of each counter and kind', () => {
    const one = {
      ...createEmptyUsage('7', '2025-10-06', 'credits'),
      calls: 3,
      kinds: { list: { calls: 1, credits: 3 } },
    };
    const other = {
      ...createEmptyUsage('7', '2025-10-06', 'legacy'),
      credits: 9,
      kinds: { constructor: { calls: 2, credits: 2 } },
    };
    expect(mergeUsage(one, other)).toEqual({
      ...createEmptyUsage('7', '2025-10-06', 'legacy'),
      calls: 3,
      credits: 9,
      kinds: { constructor: { calls: 2, credits: 2 }, list: { calls: 1, credits: 3 } },
    });
  });

  test('is the same in every order, twice, and in every grouping', () => {
    fc.assert(
      fc.property(arbitraryUsage, arbitraryUsage, arbitraryUsage, (a, b, c) => {
        expect(mergeUsage(a, b)).toEqual(mergeUsage(b, a));
        expect(mergeUsage(mergeUsage(a, b), b)).toEqual(mergeUsage(a, b));
        expect(mergeUsage(mergeUsage(a, b), c)).toEqual(mergeUsage(a, mergeUsage(b, c)));
        expect(mergeUsage(a, a)).toEqual(a);
      }),
    );
  });

  test('never lowers a counter', () => {
    fc.assert(
      fc.property(arbitraryUsage, arbitraryUsage, (a, b) => {
        const merged = mergeUsage(a, b);
        for (const name of USAGE_COUNTERS) expect(merged[name]).toBe(Math.max(a[name], b[name]));
      }),
    );
  });

  test('rejects readings of two orgs or two days', () => {
    const usage = createEmptyUsage('7', '2025-10-06', 'credits');
    expect(() => mergeUsage(usage, { ...usage, orgId: '8' })).toThrow('different orgs');
    expect(() => mergeUsage(usage, { ...usage, day: '2025-10-07' })).toThrow('different orgs');
  });
});

describe('raiseUsage', () => {
  const empty = createEmptyUsage('7', '2025-10-06', 'credits');
  const usage = (calls: number): DayUsage => ({ ...empty, calls });

  test('adds what was spent since to the most that anybody saw before, in every order', () => {
    const step = fc.record({ does: fc.constantFrom('spend', 'tell', 'read'), calls: count });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        let [store, seen, spent]: [ToldUsage, number, number] = [{ usage: empty, told: empty }, 0, 0];
        for (const { does, calls } of steps) {
          if (does === 'spend') {
            spent += calls;
            store = { ...store, usage: addUsage(store.usage, usage(calls)) };
          } else {
            // what is read of it in the meantime is never more than it has
            const told = does === 'tell' ? calls : Math.min(calls, store.usage.calls);
            if (does === 'tell') seen = Math.max(seen, calls);
            store = raiseUsage(store, usage(told), does === 'tell' ? 'before it was emptied' : 'since');
          }
          expect(store.usage.calls).toBe(seen + spent);
        }
      }),
    );
  });

  test('counts what only a cell knows as told: a gateway that saw the same adds nothing', () => {
    const spent = { usage: usage(5), told: empty };
    const read = raiseUsage(spent, usage(20), 'since');
    expect(raiseUsage(read, usage(20), 'before it was emptied')).toMatchObject({ usage: { calls: 25 } });
  });
});

describe('subtractUsage', () => {
  test('gives what must be added to the earlier reading for the later one', () => {
    fc.assert(
      fc.property(arbitraryUsage, arbitraryUsage, (earlier, more) => {
        // every kind of call that is counted has calls
        const kinds = Object.entries(more.kinds).map(([name, kind]) => [name, { ...kind, calls: kind.calls + 1 }]);
        const later = addUsage(earlier, { ...more, kinds: Object.fromEntries(kinds) });
        expect(addUsage(earlier, subtractUsage(later, earlier))).toEqual(later);
      }),
    );
  });

  test('leaves out kinds of which no call came', () => {
    const kinds = { list: { calls: 2, credits: 6 } };
    const earlier = { ...createEmptyUsage('7', '2025-10-06', 'credits'), calls: 2, kinds };
    const later = { ...earlier, calls: 3, kinds: { ...kinds, constructor: { calls: 1, credits: 4 } } };
    expect(subtractUsage(later, earlier)).toMatchObject({ calls: 1, kinds: { constructor: { calls: 1, credits: 4 } } });
    expect(Object.keys(subtractUsage(later, earlier).kinds)).toEqual(['constructor']);
  });
});
