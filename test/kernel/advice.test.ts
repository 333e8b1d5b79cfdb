// A text with commands of ours in it, which each reader sees as that reader runs them.
import { describe, expect, test } from 'vitest';
import { advise, command, formatAdvice, mapAdvice } from '../../src/kernel/advice.js';
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
