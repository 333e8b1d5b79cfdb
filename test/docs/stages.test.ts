// docs/stages.md against the code: stages, intents, transitions with their reasons, holds.
import { describe, expect, test } from 'vitest';
import { HOLD_CODES, HOLDS } from '../../src/domain/rollout/hold.js';
import { INTENTS, STAGE_TRANSITIONS, STAGES } from '../../src/domain/rollout/stage.js';
import { readDocument, readTable, unquote } from './read-document.js';

const text = await readDocument('docs/stages.md');
const column = (heading: string): readonly string[] => readTable(text, heading).map(([first = '']) => unquote(first));

describe('docs/stages.md', () => {
  test('lists every stage in order', () => {
    expect(column('Stages')).toEqual([...STAGES]);
  });

  test('lists every intent', () => {
    expect(column('Intents')).toEqual([...INTENTS]);
  });

  test('lists every legal transition with its reason, in order', () => {
    const rows = readTable(text, 'Transitions').map(([from = '', to = '', reason]) => ({
      from: unquote(from),
      to: unquote(to),
      reason,
    }));
    expect(rows).toEqual(STAGE_TRANSITIONS);
  });

  test('lists every hold in order, with its meaning and whether it needs a person', () => {
    const rows = readTable(text, 'Holds').map(([code = '', meaning, person]) => [unquote(code), meaning, person]);
    const holds = HOLD_CODES.map((code) => [code, HOLDS[code].meaning, HOLDS[code].needsPerson ? 'yes' : 'no']);
    expect(rows).toEqual(holds);
  });
});
