// Which columns can hold an id that our tables cannot.
import { expect, test } from 'vitest';
import { canBeLong } from '../../../src/domain/source/source-contract.js';

test.each([
  ['text', 'text', true],
  ['varchar', 'character varying', true],
  ['varchar', 'character varying(501)', true],
  ['varchar', 'character varying(500)', false],
  ['uuid', 'uuid', false],
  ['int8', 'bigint', false],
])('an id of %s, written %s, can be longer than what is held: %s', (base, type, expected) => {
  expect(canBeLong({ base, type })).toBe(expected);
});
