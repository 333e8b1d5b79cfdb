// The rule in words against the rule in data: golden cases, announced rates, invariants.
import { expect, test } from 'vitest';
import { goldenCases } from '../domain/org/golden-cases.js';
import { sampleCard } from '../domain/rate-card/sample-card.js';
import { readDocument, readTable } from './read-document.js';

/** Digits and their separators. */
const numbersOf = (text = ''): readonly string[] => text.match(/[\d,]*\d/gu) ?? [];
const show = (value: bigint): string => value.toLocaleString('en-US');

test('the life of an org shows every golden case with its total and its floor', async () => {
  const rows = readTable(await readDocument('docs/reference/life-of-an-org.md'), 'Golden cases');
  expect(rows.map(([id]) => id)).toEqual(goldenCases.map(({ id }) => id));
  for (const { id, expect: terms } of goldenCases) {
    const result = rows.find(([name]) => name === id)?.[3] ?? '';
    if (terms === null) expect(result, id).toContain('`overflow`');
    else {
      expect(result, id).toContain(`**${show(terms.total)}**`);
      expect(result, id).toContain(terms.floor === null ? 'floor –' : `floor ${show(terms.floor)}`);
    }
  }
});

test('the domain shows the rates of the shipped card', async () => {
  const rows = readTable(await readDocument('docs/reference/domain.md'), 'The announced rates');
  for (const [names = '', base, perAgent, concurrency] of rows) {
    for (const name of names.replace(', and trials', '').split(', ')) {
      const rates = sampleCard.editions.get(name);
      expect([base, perAgent, concurrency].flatMap(numbersOf), name).toEqual(
        [rates?.base, rates?.perAgent, rates?.concurrency].map((value) => show(BigInt(value ?? -1))),
      );
    }
  }
});

test('every invariant that tests check by a query is listed as such', async () => {
  const rows = readTable(await readDocument('docs/reference/invariants.md'), 'Invariants');
  expect(rows.map(([id]) => id)).toEqual(Array.from({ length: 24 }, (_, at) => `I${at + 1}`));
  const files = ['test/support/invariants-of-orgs.ts', 'test/support/invariants.ts'];
  const source = (await Promise.all(files.map(readDocument))).join('\n');
  const queried = new Set([...source.matchAll(/^ +id: '(I\d+)',$/gmu)].map(([, id]) => id));
  expect(rows.filter(([, , how]) => how === 'query').map(([id]) => id)).toEqual(
    rows.map(([id]) => id).filter((id) => queried.has(id)),
  );
});
