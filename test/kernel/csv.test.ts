// CSV that people open in a spreadsheet: no cell of it is a formula, whatever separator the spreadsheet expects.
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatCsv } from '../../src/kernel/csv.js';
import { streamOrgs } from '../../src/stores/cell/plan/org-export.js';
import { hostileText } from '../cli/hostile/texts.js';
import { createTestCell } from '../support/cell.js';
import { parseCsv } from '../support/parse-csv.js';

const write = (value: string): string => parseCsv(formatCsv([['x', value]]))[0]?.[1] ?? '';
const DANGEROUS = ['=1+1', '+1', '@SUM(A1)', '-1+1', "-5+cmd|'/C calc'!A0", '＝1', '＋1', '－1', '＠a', '﹦1', '−1'];

describe('formatCsv', () => {
  test.each(DANGEROUS)('makes %j a text, also after blanks, quotes and separators', (formula) => {
    expect(write(formula)).toBe(`'${formula}`);
    for (const before of [' ', '\u00a0', '\u3000', '\u200b', '"', ' " '])
      expect(write(`${before}${formula}`)).toBe(`'${before}${formula}`);
    for (const separator of [';', ',', '|'])
      expect(write(`a${separator} ${formula}`)).toBe(`a${separator}' ${formula}`);
    for (const control of ['\t', '\n', '\r']) {
      expect(write(`${control}${formula}`)).toBe(`'${control}'${formula}`);
      expect(write(`a${control}${formula}`)).toBe(`a${control}'${formula}`);
    }
  });

  test.each(['-5', '-12.75', '5', '0', 'in-7', 'a@b.example', 'a = b', "'=1", '2026-11-29', '漢字', ''])(
    'leaves %j as it is',
    (value) => expect(write(value)).toBe(value),
  );

  test('writes numbers, times and nothing', () => {
    expect(formatCsv([[-5, 7n, new Date(0), null, 'a "b", c']])).toBe('-5,7,1970-01-01T00:00:00.000Z,,"a ""b"", c"\n');
  });

  test('leaves no cell that begins as a formula, for any separator', () => {
    fc.assert(
      fc.property(hostileText, (value) => {
        if (/^-\d+(\.\d+)?$/u.test(value)) return;
        for (const part of write(value).split(/[,;|\t-\r]/u)) expect(part).not.toMatch(/^[\s"]*[=+@＝＋－＠-]/u);
      }),
    );
  });
});

test('PostgreSQL makes of every text what we make of it', async () => {
  const texts = [...DANGEROUS, '-5', '-1.5', '\tx', '\n=1', ...fc.sample(hostileText, { numRuns: 300, seed: 7 })];
  const ids = [...new Set([...texts, ...texts.map((one) => ` ${one};${one}`)])];
  const cell = await createTestCell({ idType: 'text', orgs: ids.map((id) => ({ org_id: id, edition: id })) });
  try {
    const csv = await cell.cell.inTransaction('planner', async (tx) => text(await streamOrgs(tx, cell.card.hash)));
    const cells = parseCsv(csv).slice(1);
    const found = new Set(cells.map(([id]) => id));
    expect(found).toEqual(new Set(ids.map(write)));
    expect(cells.filter(([id, edition]) => id !== edition)).toEqual([]);
  } finally {
    await cell.drop();
  }
});
