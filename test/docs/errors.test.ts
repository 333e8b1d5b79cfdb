// Exit codes and the words of database errors against the code; the codes themselves are generated.
import { expect, test } from 'vitest';
import { ERRORS } from '../../src/kernel/error-codes.js';
import { classifyFailure, FAILURE_KINDS } from '../../src/stores/postgres-failure.js';
import { listDocumentSections, readDocument, readTable, unquote } from './read-document.js';

test('there is a heading for every error code, so that a link to a code leads to it', async () => {
  const headings = listDocumentSections(await readDocument('docs/reference/errors.md')).map(({ heading }) =>
    unquote(heading),
  );
  expect(Object.keys(ERRORS).filter((code) => !headings.includes(code))).toEqual([]);
});

test('every exit code that an error has is explained, and each exit code once', async () => {
  const rows = readTable(await readDocument('docs/reference/exit-codes.md'), 'Exit codes');
  const documented = rows.map(([exit = '']) => Number(unquote(exit)));
  const used = Object.values(ERRORS).map(({ exit }) => exit);
  expect(used.filter((exit) => !documented.includes(exit))).toEqual([]);
  expect(documented.toSorted((a, b) => a - b)).toEqual([...new Set(documented)].toSorted((a, b) => a - b));
});

test('every kind of error that a database can have is explained by a code, and so is each word', async () => {
  const rows = readTable(await readDocument('docs/reference/errors.md'), 'Errors of workers and cells');
  const codes = rows.flatMap(([cell = '']) => [...cell.matchAll(/`([^`]+)`/gu)].map(([, code = '']) => code));
  const kinds = codes.map((code) =>
    // what is missing is told by the server's function, not by the code
    code === 'not_initialised' ? 'missing' : classifyFailure({ code: code.replace('…', '').padEnd(5, '0') }).kind,
  );
  expect([...new Set(kinds)].toSorted()).toEqual([...FAILURE_KINDS].toSorted());
  expect(codes).toEqual(expect.arrayContaining(['connection_lost', 'no_answer', 'other', 'read_only']));
});
