// docs/development/benchmarks.md against the options of `npm run bench`.
import { expect, test } from 'vitest';
import { CONTENDERS, MODES } from '../../scripts/bench/options.js';
import { readDocument, readTable, unquote } from './read-document.js';

const text = await readDocument('docs/development/benchmarks.md');

test.each([
  ['Contenders', CONTENDERS],
  ['Modes', MODES],
] as const)('%s are those of the benchmark, in its order', (heading, names) => {
  expect(readTable(text, heading).map(([name = '']) => unquote(name))).toEqual([...names]);
});
