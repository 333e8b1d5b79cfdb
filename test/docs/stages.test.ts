// Stages, intents and holds against the code; transitions and meanings of holds are generated.
import { describe, expect, test } from 'vitest';
import { FAILURES } from '../../src/domain/rollout/failure.js';
import { HOLD_CODES } from '../../src/domain/rollout/hold.js';
import { INTENTS, STAGES } from '../../src/domain/rollout/stage.js';
import { listTables, readDocument, readSection, readTable, unquote } from './read-document.js';

const text = await readDocument('docs/reference/stages-and-holds.md');
const column = (heading: string): readonly string[] => readTable(text, heading).map(([first = '']) => unquote(first));

describe('docs/reference/stages-and-holds.md', () => {
  test('lists every stage in order', () => {
    expect(column('Stages')).toEqual([...STAGES]);
  });

  test('lists every cause of a failure with its meaning', () => {
    const rows = readTable(text, 'Failures').map(([code = '', meaning = '']) => [unquote(code), meaning]);
    const { 'the name of a constraint': _, ...causes } = Object.fromEntries(rows);
    expect(causes).toEqual(FAILURES);
  });

  test('lists every intent', () => {
    expect(column('Intents')).toEqual([...INTENTS]);
  });
});

describe('docs/how-to/unstick.md', () => {
  test('explains what to do about every hold', async () => {
    const [rows = []] = listTables(readSection(await readDocument('docs/how-to/unstick.md'), 'Holds'));
    const codes = rows.slice(1).map(([code = '']) => unquote(code));
    expect(codes.toSorted()).toEqual([...HOLD_CODES].toSorted());
  });
});
