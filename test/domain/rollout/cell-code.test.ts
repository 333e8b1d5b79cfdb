// What passes for a code when a text of a cell is read: what this version knows, and nothing that a login or the product
// could write there.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toKnownCode } from '../../../src/domain/rollout/cell-code.js';
import { ERRORS } from '../../../src/kernel/error-codes.js';

describe('toKnownCode', () => {
  test.each([...Object.keys(ERRORS), '23514', 'P0001', 'quarantine', 'ECONNREFUSED', null])('lets %s pass', (code) =>
    expect(toKnownCode(code)).toBe(code),
  );

  test.each([
    'acme-4711',
    'duplicate key value violates unique constraint "orgs_pkey"',
    'Key (org_id)=(acme) already exists.',
    '2351',
    '23514 acme',
    'undo_lost ',
    'toString',
    '__proto__',
    '',
  ])('lets no other text pass: %j', (text) => expect(toKnownCode(text)).toBe('other'));

  test('lets no text pass that has more than letters, digits and underscores', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(' ', '-', '.', '"', '\n'), fc.string(), (before, mark, after) => {
        expect(toKnownCode(`${before}${mark}${after}`)).toBe('other');
      }),
    );
  });
});
