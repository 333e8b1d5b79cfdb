// The rates of a card must have the hash that names it: the canonical text in SQL is that of the domain, for any card,
// and one number that differs is rejected.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRateCard } from '../../../../src/domain/rate-card/create-rate-card.js';
import type { EditionSpec, RateCard } from '../../../../src/domain/rate-card/rate-card.js';
import { toStoredCard } from '../../../../src/engine/stored-card.js';
import { insertRateCard, type StoredCard } from '../../../../src/stores/cell/org/rates.js';
import { sampleCard } from '../../../domain/rate-card/sample-card.js';
import { createTestCell, type TestCell } from '../../../support/cell.js';

let cell: TestCell;
beforeAll(async () => {
  cell = await createTestCell();
});
afterAll(() => cell.drop());

const insert = (card: StoredCard): Promise<void> => cell.cell.asOwner((tx) => insertRateCard(tx, card));

const amounts = fc.oneof(fc.bigInt({ min: 0n, max: 20n }), fc.bigInt({ min: 0n, max: 1_000_000_000n }));
const legacy = fc.oneof(
  amounts.map((flat) => ({ kind: 'flat', flat }) as const),
  fc.tuple(amounts, amounts, amounts).map(([perUser, one, other]) => {
    const [min, max] = one < other ? [one, other] : [other, one];
    return { kind: 'perUser', perUser, min, max } as const;
  }),
);
// names that sort differently by code point and by UTF-16 code unit, and such that JSON writes in its own way
const names = fc
  .oneof(
    fc.constantFrom('free', 'Zoë', '\u{fffd}', '\u{1f600}', 'a"b', 'back\\slash', '\u{2028}', 'é'),
    fc.string({ minLength: 1, maxLength: 6, unit: 'grapheme' }),
  )
  .filter((name) => !/[\p{Cc}\p{Cs}]/u.test(name));
const cards: fc.Arbitrary<RateCard> = fc
  .tuple(
    fc.uniqueArray(names, { minLength: 1, maxLength: 6 }),
    fc.array(fc.tuple(amounts, amounts, fc.integer({ min: 1, max: 99 }), legacy), { minLength: 6, maxLength: 6 }),
    fc.boolean(),
    fc.constantFrom(sampleCard.costs, new Map([['get', { kind: 'perCall', credits: 1 } as const]]), new Map()),
  )
  .map(([editions, rates, lightAgentsCountAsUsers, costs]) => {
    const specs = editions.map((edition, at): EditionSpec => {
      const [base, perAgent, concurrency, old] = rates[at] ?? [0n, 0n, 1, { kind: 'flat', flat: 0n } as const];
      return { edition, base, perAgent, concurrency, legacy: old };
    });
    const unpaid = editions[0] ?? '';
    return createRateCard({
      name: 'any',
      lightAgentsCountAsUsers,
      unpaid,
      costs,
      cases: [],
      editions: specs,
    });
  });

describe('rates', () => {
  test('of any card are accepted under its own hash', async () => {
    await fc.assert(
      fc.asyncProperty(cards, async (card) => {
        await insert(toStoredCard(card));
        const rows = await cell.sql('select count(*)::int as n from credit_rollout.rates where card_hash = $1', [
          card.hash,
        ]);
        expect(rows).toEqual([{ n: card.editions.size }]);
      }),
      { numRuns: 150 },
    );
  });

  const change = fc.constantFrom(
    'base',
    'perAgent',
    'concurrency',
    'rank',
    'legacyFlat',
    'legacyPerUser',
    'hash',
    'costs',
  );
  test('that differ in one number, or under another hash, are rejected', async () => {
    await fc.assert(
      fc.asyncProperty(cards, change, fc.nat(5), async (card, field, at) => {
        const stored = toStoredCard(card);
        const target = at % stored.rates.length;
        const forged: StoredCard =
          field === 'costs'
            ? { ...stored, costs: stored.costs === '' ? '[]' : stored.costs.replace(/\d+/u, (n) => `${n}0`) }
            : field === 'hash'
              ? { ...stored, hash: stored.hash.replace(/./u, (digit) => (digit === '0' ? '1' : '0')) }
              : {
                  ...stored,
                  rates: stored.rates.map((rate, place) =>
                    place === target ? { ...rate, [field]: next(rate[field]) } : rate,
                  ),
                };
        if (JSON.stringify(forged, toText) === JSON.stringify(stored, toText)) return;
        // what another example has stored stays
        if ((await cell.sql('select from credit_rollout.rates where card_hash = $1', [forged.hash])).length > 0) return;
        // one above the largest number that a column may have is rejected by that column's own check
        await expect(insert(forged)).rejects.toMatchObject({
          constraint: expect.stringMatching(/^rates_[a-z_]+_check$/),
        });
      }),
      { numRuns: 150 },
    );
  });

  test('cannot be added to a card later', async () => {
    const [row] = await cell.sql('select card_hash from credit_rollout.rates limit 1');
    const added = cell.sql(
      `insert into credit_rollout.rates select card_hash, 'late', base, per_agent, concurrency, unpaid_base,
         unpaid_per_agent, unpaid_concurrency, legacy_flat, legacy_per_user, legacy_min, legacy_max, edition_rank
       from credit_rollout.rates where card_hash = $1 limit 1`,
      [row?.card_hash],
    );
    await expect(added).rejects.toMatchObject({ constraint: 'rates_hash_check' });
  });
});

const toText = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);

function next(value: bigint | number | null): bigint | number | null {
  if (value === null) return null;
  return typeof value === 'bigint' ? value + 1n : value + 1;
}
