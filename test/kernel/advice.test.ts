// A text with commands of ours in it, which each reader sees as that reader runs them.
import { describe, expect, test } from 'vitest';
import { advise, command, formatAdvice, mapAdvice, quoteArgument } from '../../src/kernel/advice.js';
import { RolloutError } from '../../src/kernel/rollout-error.js';

describe('advise', () => {
  const advice = advise`Run: ${command('plan --dc eu')}, then ${'wait'}.`;

  test('keeps commands as data, and texts as they are', () => {
    expect(advice).toEqual(['Run: ', { command: 'plan --dc eu' }, ', then ', 'wait', '.']);
  });

  test('is a text with the name of the program, or as it is shown', () => {
    expect(formatAdvice(advice)).toBe('Run: credit-rollout plan --dc eu, then wait.');
    expect(formatAdvice(advice, (text) => `<${text}>`)).toBe('Run: <plan --dc eu>, then wait.');
    expect(formatAdvice('Run: credit-rollout init', () => 'never')).toBe('Run: credit-rollout init');
  });

  test('can be changed in texts and commands', () => {
    expect(formatAdvice(mapAdvice(advice, (text) => text.replace('eu', 'us')))).toBe(
      'Run: credit-rollout plan --dc us, then wait.',
    );
  });
});

describe('command', () => {
  test.each([
    ['acme', 'why acme --dc eu'],
    ['x;touch /tmp/y;#', "why 'x;touch /tmp/y;#' --dc eu"],
    ["o'$(id)`id`", "why 'o'\\''$(id)`id`' --dc eu"],
    ['', "why '' --dc eu"],
    ['--all', 'why VALUE --dc eu'],
    ['a\nb', 'why VALUE --dc eu'],
  ])('quotes the value %j for a shell', (value, text) => {
    expect(command`why ${value} --dc ${'eu'}`).toEqual({ command: text });
  });

  test('names what cannot be written, and takes lists, numbers and other commands', () => {
    expect(command`why ${quoteArgument('-x', 'ORG')} --dc ${['eu', 'u s']} --limit ${5}`.command).toBe(
      "why ORG --dc eu 'u s' --limit 5",
    );
    expect(command`audit ${command`--dc ${'eu'}`} ${false} ${undefined} --limit ${7n}`.command).toBe(
      'audit --dc eu --limit 7',
    );
    expect(command`${[]} --help`.command).toBe('--help');
  });

  test('takes no text that was put together, not even as one of two', () => {
    const org = ['x;id'].join('');
    // @ts-expect-error only a text of the source
    expect(command(org).command).toBe(org);
    // @ts-expect-error a value in it
    expect(command(`why ${org}`).command).toBe(`why ${org}`);
    // @ts-expect-error a value in one of them
    expect(command(org === '' ? 'status' : `why ${org}`).command).toBe(`why ${org}`);
  });
});

describe('RolloutError', () => {
  test('has its next step as text, and with commands as data', () => {
    const error = new RolloutError('conflict', { message: 'no' });
    expect(error.next).toBe('Run: credit-rollout status, then decide again.');
    expect(error.advice).toContainEqual({ command: 'status' });
  });

  test('shows a control character in a command on one line', () => {
    const error = new RolloutError('conflict', { message: 'no', next: advise`Run: ${command('why a\nb')}` });
    expect(error.next).toBe('Run: credit-rollout why a\\u000ab');
    expect(error.advice).toEqual(['Run: ', { command: 'why a\\u000ab' }]);
    // SQL to run has lines of its own
    expect(new RolloutError('conflict', { message: 'no', next: 'Run:\nselect\u0007 1' }).next).toBe(
      'Run:\nselect\\u0007 1',
    );
  });
});
