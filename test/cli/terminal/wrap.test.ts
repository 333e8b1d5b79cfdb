// Text that fits into a terminal: nothing is cut, and what is pasted stays whole.
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keepDirection } from '../../../src/cli/terminal/directions.js';
import { displayWidth } from '../../../src/cli/terminal/display-width.js';
import { chooseWidth } from '../../../src/cli/terminal/io.js';
import { createPaint } from '../../../src/cli/terminal/paint.js';
import { layOutRows, layOutTable, right } from '../../../src/cli/terminal/table.js';
import { wrapToWidth } from '../../../src/cli/terminal/wrap.js';
import { command, quoteArgument } from '../../../src/kernel/advice.js';
import { toPrintableLines } from '../../../src/kernel/printable.js';
import { hostileText } from '../hostile/texts.js';

/** As it is, by quoteArgument. */
const isShown = (text: string): boolean =>
  command`${quoteArgument(text, 'HIDDEN')}`.command !== 'HIDDEN' && text !== '';
const COMMAND = 'credit-rollout --config fleet.yaml cutover execute --dc in --execute --reason TEXT';

describe('wrapToWidth', () => {
  test('continues a line under the beginning of its sentence', () => {
    expect(wrapToWidth('    waits: no worker serves it, since noon', 24)).toBe(
      '    waits: no worker\n      serves it, since\n      noon',
    );
    expect(wrapToWidth('  ✔ ok       queue: it can be reached', 30)).toBe(
      '  ✔ ok       queue: it can be\n             reached',
    );
  });

  test('puts a command on a line of its own before it breaks one', () => {
    const short = 'credit-rollout resume --dc eu';
    expect(wrapToWidth(`an operator paused it; to continue: ${short}`, 40, [short])).toBe(
      `an operator paused it; to continue:\n  ${short}`,
    );
  });

  test('breaks a command that is longer than a line as a shell reads it', () => {
    const lines = wrapToWidth(`Next: ${COMMAND}`, 40, [COMMAND]).split('\n');
    expect(lines).toEqual([
      'Next:',
      '  credit-rollout --config fleet.yaml \\',
      '    cutover execute --dc in --execute \\',
      '    --reason TEXT',
    ]);
  });

  test('breaks no argument, so that a shell reads the same ones', () => {
    const given = fc.sample(fc.array(hostileText.filter(isShown), { minLength: 1, maxLength: 4 }), {
      numRuns: 60,
      seed: 5,
    });
    const args = [['co nf $(exit 9) q"', "it's  so", 'a \\ b'], ...given];
    const scripts = args.flatMap((some, at) => {
      const text = command`why ${some} --dc in`.command;
      const line = `Next: printf '%s\\0' ${text}`;
      const wrapped = wrapToWidth(line, 12 + (at % 50), [line.slice('Next: '.length)]).replace('Next:', '');
      return [wrapped.trimStart(), "printf '\\n\\0'"];
    });
    const ran = spawnSync('sh', ['-c', scripts.join('\n')], { encoding: 'utf8' });
    expect(ran.stderr).toBe('');
    expect(ran.stdout.split('\n\0').slice(0, -1)).toEqual(
      args.map((some) => ['why', ...some, '--dc', 'in'].map((one) => `${one}\0`).join('')),
    );
  });

  test('never makes a line longer than the width, nor leaves anything out', () => {
    fc.assert(
      fc.property(hostileText.map(toPrintableLines), fc.integer({ min: 12, max: 60 }), (text, width) => {
        const lines = wrapToWidth(text, width).split('\n');
        for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width);
        expect(lines.join('').replaceAll(/\s/gu, '')).toBe(text.replaceAll(/\s/gu, ''));
      }),
    );
  });

  test('counts no column for colours', () => {
    const paint = createPaint(true);
    const text = `${paint('error', 'red')} ${paint('twelve more', 'bold')}`;
    expect(wrapToWidth(text, 17)).toBe(text);
  });
});

describe('keepDirection', () => {
  test('ends words that are read from right to left, and changes no width', () => {
    expect(keepDirection('  שלום עולם  25,000  x')).toBe('  שלום עולם\u200e  25,000  x');
    expect(keepDirection('مرحبا, a')).toBe('مرحبا\u200e, a');
    expect(displayWidth(keepDirection('שלום 12'))).toBe(7);
    expect(keepDirection('漢字 é 12')).toBe('漢字 é 12');
  });
});

describe('layOutTable', () => {
  const columns = [{ title: 'NAME' }, right('LEGACY KEPT', 1), right('ORGS', 2), { title: 'WHY' }];
  const rows = [['in', '1,200', '80', 'the plan was made before']];

  test('breaks titles and texts before it leaves out a column, the highest rank first', () => {
    expect(layOutTable(columns, rows, 80)).toHaveLength(2);
    expect(layOutTable(columns, rows, 32)).toEqual([
      'NAME  LEGACY  ORGS  WHY',
      '        KEPT',
      'in     1,200    80  the plan was',
      '                    made before',
    ]);
    expect(layOutTable(columns, rows, 21)).toEqual([
      'NAME  LEGACY  WHY',
      '        KEPT',
      'in     1,200  the',
      '              plan',
      '              was',
      '              made',
      '              before',
      'Columns left out for',
      'lack of width: ORGS',
    ]);
  });

  test('lists the cells of a row where nothing more can be left out', () => {
    expect(layOutTable([{ title: 'A' }, right('TOTAL')], [['x', '12,345,678']], 12)).toEqual([
      'A      x',
      '  TOTAL  12,',
      '         345',
      '         ,67',
      '         8',
    ]);
  });

  test('never makes a line longer than the width', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(hostileText, fc.bigInt({ min: 0n, max: 10n ** 20n }), hostileText), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.integer({ min: 40, max: 90 }),
        (table, width) => {
          const { titles, rows: laidOut } = layOutRows(
            [{ title: 'ORG' }, right('CREDITS BEFORE', 1), { title: 'WHAT CHANGED' }],
            table.map(([a, b, c]) => [a, String(b), c]),
            width,
          );
          for (const line of [...titles, ...laidOut.flat()]) expect(displayWidth(line)).toBeLessThanOrEqual(width);
        },
      ),
    );
  });
});

describe('chooseWidth', () => {
  test.each([
    [132, '60', 132],
    [undefined, '132', 132],
    [undefined, undefined, 80],
    [undefined, 'many', 80],
    [0, undefined, 80],
    [12, undefined, 40],
  ])('of a terminal of %j columns, with COLUMNS=%j, is %i', (ofTerminal, columns, width) =>
    expect(chooseWidth(ofTerminal, columns)).toBe(width),
  );
});
