// The price of a call: the published table, its bounds, and what holds for every card and call.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_CALL_SIZE, priceCall } from '../../../src/domain/meter/price-call.js';
import type { KindCost } from '../../../src/domain/rate-card/call-costs.js';
import { parseRateCard } from '../../../src/domain/rate-card/parse-rate-card.js';
import { checkRateCard } from '../../../src/domain/rate-card-check/check-rate-card.js';
import { CARD, errorOfCard } from '../rate-card/card-scene.js';
import { sampleCard } from '../rate-card/sample-card.js';

const price = (call: Parameters<typeof priceCall>[1]): number => priceCall(sampleCard.costs, call).credits;

describe('priceCall', () => {
  test.each([
    ['get', {}, 1],
    ['find', { records: 1000 }, 1],
    ['list', {}, 3],
    ['list', { from: 0, limit: 2001 }, 3],
    ['list', { from: 1, limit: 2001 }, 5],
    ['list', { from: 2000, limit: 0 }, 3],
    ['list', { from: 10_000, limit: 1 }, 5],
    ['list', { from: 10_000, limit: 2 }, 10],
    ['list', { from: 50_001, limit: 1 }, 50],
    ['search', { from: 100_000, limit: 1 }, 50],
    ['search', { from: 100_000, limit: 100 }, 100],
    ['bulk_update', {}, 1],
    ['bulk_update', { records: 0 }, 1],
    ['bulk_update', { records: 5 }, 3],
    ['delete', { records: 50 }, 300],
    ['restore', { records: 2 }, 12],
    ['update_many', { records: 900 }, 25],
    ['count', {}, 50],
  ])('of %s %j is %d', (kind, shape, credits) => {
    expect(priceCall(sampleCard.costs, { kind, ...shape })).toEqual({ kind, credits });
  });

  test.each(['anything', 'constructor', '__proto__', 'LIST', ''])('of the unknown kind "%s" is 1', (kind) => {
    expect(priceCall(sampleCard.costs, { kind, records: 1000 })).toEqual({ kind: 'unknown', credits: 1 });
  });

  test('never falls when a list reaches further or a call changes more', () => {
    const shape = fc.record({ from: fc.nat(200_000), limit: fc.nat(5000), records: fc.nat(5000) });
    fc.assert(
      fc.property(fc.constantFrom(...sampleCard.costs.keys()), shape, fc.nat(100_000), (kind, call, more) => {
        const grown = { from: call.from + more, limit: call.limit, records: call.records + more };
        expect(price({ kind, ...grown })).toBeGreaterThanOrEqual(price({ kind, ...call }));
      }),
    );
  });

  test('is a whole number that a double holds exactly, up to the bounds of card and call', () => {
    const dearest: KindCost = { kind: 'perRecords', credits: 1_000_000, records: 1 };
    const { credits } = priceCall(new Map([['delete', dearest]]), { kind: 'delete', records: MAX_CALL_SIZE });
    expect(credits).toBe(10 ** 15);
    expect(Number.isSafeInteger(credits)).toBe(true);
  });
});

describe('the costs of a rate card', () => {
  const withCosts = (costs: string): string => `${CARD}costs:\n  ${costs}\n`;

  test.each([
    ['get: { credits: -1 }', 'inexact_number', 'costs.get.credits'],
    ['get: { credits: 1.5 }', 'inexact_number', 'costs.get.credits'],
    ['get: { credits: 1, perRecords: 0 }', 'inexact_number', 'costs.get.perRecords'],
    ['get: {}', 'invalid_rate_card', 'costs.get'],
    ['get: { perRecords: 1 }', 'invalid_rate_card', 'costs.get'],
    ['get: { credits: 1, beyond: 2 }', 'invalid_rate_card', 'costs.get'],
    ['get: { beyond: 2 }', 'invalid_rate_card', 'costs.get.byLastIndex'],
    ['get: { byLastIndex: [{ to: 1, credits: 1 }] }', 'invalid_rate_card', 'costs.get.beyond'],
    ['get: { byLastIndex: [], beyond: 1 }', 'invalid_rate_card', 'costs.get.byLastIndex'],
    [
      'get: { byLastIndex: [{ to: 9, credits: 1 }, { to: 9, credits: 2 }], beyond: 1 }',
      'invalid_rate_card',
      'byLastIndex[1].to',
    ],
    ['unknown: { credits: 1 }', 'invalid_rate_card', 'costs'],
    ['Get: { credits: 1 }', 'invalid_rate_card', 'costs'],
    ['get: { credit: 1 }', 'invalid_rate_card', 'costs.get.credit'],
  ])('reject %s', (costs, code, path) => {
    const error = errorOfCard(withCosts(costs));
    expect(error.message).toContain(path);
    expect(error.code).toBe(code);
  });

  test('are checked by golden cases', () => {
    const card = parseRateCard(
      `${withCosts('get: { credits: 2 }')}cases:
  - { call: { kind: get }, expect: { credits: 2 } }
  - { name: dear, call: { kind: get }, expect: { credits: 3 } }
  - { call: { kind: got }, expect: { credits: 1 } }
`,
    );
    expect(checkRateCard(card).map(({ position, message }) => [position, message])).toEqual([
      [2, 'Case 2 (dear) fails: credits is 2, expected 3.'],
      [3, 'Case 3 fails: costs has no kind of call "got".'],
    ]);
  });
});
