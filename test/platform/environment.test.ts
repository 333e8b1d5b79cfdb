// What a `${NAME}` of the configuration stands for.
import { expect, test } from 'vitest';
import { readEnvironment } from '../../src/platform/environment.js';

test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty', 'NOBODY_SETS_THIS'])('%s is not set', (name) =>
  expect(readEnvironment(name)).toBeUndefined(),
);

test('a variable that is set has its value', () => expect(readEnvironment('PATH')).toBe(process.env.PATH));
