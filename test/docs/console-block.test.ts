// How a tutorial is compared with what commands show.
import { describe, expect, test } from 'vitest';
import { findMissing, parseConsole, toPattern } from './console-block.js';

describe('parseConsole', () => {
  test('reads commands with quoted arguments, and the lines that each shows', () => {
    const block = '$ npm start\n✔ done\n$ npm run -s rollout -- audit --reason "two words"\na\nb\n';
    expect(parseConsole([block]).map(({ args, shown }) => ({ args, shown }))).toEqual([
      { args: ['demo'], shown: ['✔ done'] },
      { args: ['audit', '--reason', 'two words'], shown: ['a', 'b'] },
    ]);
  });

  test('rejects what is no command of the program', () => {
    expect(() => parseConsole(['$ rm -rf /\n'])).toThrow('no command of the program');
  });
});

describe('toPattern', () => {
  const matches = (shown: string, output: string): boolean => toPattern(shown.split('\n')).test(output);

  test('takes any number for a number, and any text for …', () => {
    expect(matches('17,993 of 18,000 orgs; …', '1 of 2,000 orgs; +3.1 % of all\n')).toBe(true);
  });

  test('takes any lines for a line …, also none', () => {
    expect(matches('a\n…\nb', 'a\nx\ny\nb\n')).toBe(true);
    expect(matches('a\n…\nb', 'a\nb\n')).toBe(true);
  });

  test('sees another word, a missing line, and a line too many', () => {
    expect(matches('5 orgs', '5 cells\n')).toBe(false);
    expect(matches('a\nb', 'a\n')).toBe(false);
    expect(matches('a', 'a\nb\n')).toBe(false);
  });
});

describe('findMissing', () => {
  test('names the lines that no line of the output is like', () => {
    expect(findMissing(['5 orgs', '…', 'gone'], '7 orgs\nhere\n')).toEqual(['gone']);
  });
});
