// Stages, intents and holds against the code; transitions and meanings of holds are generated.
import { describe, expect, test } from 'vitest';
import { HOLD_CODES } from '../../src/domain/rollout/hold.js';
import { INTENTS, STAGES } from '../../src/domain/rollout/stage.js';
import { listTables, readDocument, readSection, readTable, unquote } from './read-document.js';

const text = await readDocument('docs/reference/stages-and-holds.md');
const column = (heading: string): readonly string[] => readTable(text, heading).map(([first = '']) => unquote(first));

describe('docs/reference/stages-and-holds.md', () => {
  test('lists every stage in order', () => {
    expect(column('Stages')).toEqual([...STAGES]);
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
