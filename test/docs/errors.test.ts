// docs/errors.md against the registry: nothing missing, nothing gone, every word the same.
import { expect, test } from 'vitest';
import { ERRORS } from '../../src/kernel/error-codes.js';
import { FAILURE_KINDS } from '../../src/stores/postgres-failure.js';
import { listSections, readDocument, readRows, readTable, unquote } from './read-document.js';

const text = await readDocument('docs/errors.md');

test('lists every code once, with its exit code, meaning and next step', () => {
  const rows = listSections(text)
    .filter(({ heading }) => heading.startsWith('Codes: '))
    .flatMap(({ lines }) => readRows(lines))
    .map(([code = '', exit, meaning, next]) => [
      unquote(code),
      Number(exit),
      unquote(meaning ?? ''),
      unquote(next ?? ''),
    ]);
  const registry = Object.entries(ERRORS).map(([code, { exit, meaning, next }]) => [code, exit, meaning, next]);
  expect(rows.toSorted()).toEqual(registry.toSorted());
});

test('explains every exit code that the registry uses', () => {
  const documented = readTable(text, 'Exit codes').map(([exit]) => Number(unquote(exit ?? '')));
  const used = Object.values(ERRORS).map(({ exit }) => exit);
  expect(used.filter((exit) => !documented.includes(exit))).toEqual([]);
  expect(documented.toSorted((a, b) => a - b)).toEqual([...new Set(documented)].toSorted((a, b) => a - b));
});

test('explains every word that a database trouble can have', () => {
  const words = readTable(text, 'Troubles of workers and cells').map(([word = '']) => unquote(word));
  expect(words.filter((word) => /^[a-z_]+$/u.test(word)).toSorted()).toEqual([...FAILURE_KINDS].toSorted());
});
