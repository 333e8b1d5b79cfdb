// Columns that stay under their titles, whatever is in a cell.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cutColoured, cutToWidth, displayWidth } from '../../../src/cli/terminal/display-width.js';
import { createPaint } from '../../../src/cli/terminal/paint.js';
import { layOutTable, right } from '../../../src/cli/terminal/table.js';
import { toPrintable } from '../../../src/kernel/printable.js';
import { expectPrintable, hostileText } from '../hostile/texts.js';

describe('displayWidth', () => {
  test.each([
    ['', 0],
    ['abc', 3],
    ['漢字', 4],
    ['ＡＢ', 4],
    ['ｱｲ', 2],
    ['😀', 2],
    ['e\u0301', 1],
    ['é', 1],
    ['█░ ✔', 4],
    ['한글', 4],
  ])('of %j is %i', (text, width) => expect(displayWidth(text)).toBe(width));
});

describe('layOutTable', () => {
  test('counts columns of the terminal, not code units', () => {
    expect(
      layOutTable(
        [{ title: 'EDITION' }, right('ORGS')],
        [
          ['漢字漢字', '1'],
          ['e\u0301tude', '20'],
          ['😀', '300'],
        ],
        80,
      ),
    ).toEqual(['EDITION   ORGS', '漢字漢字     1', 'e\u0301tude       20', '😀         300']);
  });

  test('keeps every row one line, and every column where its title is', () => {
    fc.assert(
      fc.property(fc.array(hostileText, { minLength: 1, maxLength: 5 }), (texts) => {
        const lines = layOutTable(
          [{ title: 'A' }, { title: 'B' }],
          texts.map((text) => [text, 'end']),
          1_000,
        );
        const starts = lines.slice(1).map((line) => displayWidth(line.slice(0, -'end'.length)));
        expect(new Set(starts)).toEqual(new Set([displayWidth((lines[0] ?? '').slice(0, -1))]));
        expectPrintable(lines.join('\n'));
      }),
    );
  });

  test('cuts a cell that would fill the screen', () => {
    const [, line = ''] = layOutTable([{ title: 'A' }, { title: 'B' }], [['字'.repeat(5_000), 'end']], 1_000);
    expect(displayWidth(line)).toBeLessThan(180);
    expect(line).toMatch(/字… +end$/u);
  });
});

describe('a text that is cut', () => {
  test('never takes more columns, and is a beginning of what it was', () => {
    fc.assert(
      fc.property(hostileText.map(toPrintable), fc.integer({ min: 1, max: 30 }), (text, width) => {
        const shown = cutToWidth(text, width);
        expect(displayWidth(shown)).toBeLessThanOrEqual(width);
        expect(text.startsWith(shown.replace(/…$/u, ''))).toBe(true);
      }),
    );
  });

  test('keeps its colours, which take no columns', () => {
    const paint = createPaint(true);
    expect(cutColoured(`${paint('漢字', 'red')} rest`, 5)).toBe(`${paint('漢字', 'red')} `);
    expect(cutColoured(`${paint('漢字', 'red')} rest`, 3)).toBe(paint('漢', 'red'));
  });
});
