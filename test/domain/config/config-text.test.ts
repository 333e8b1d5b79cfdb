// Variables in scalars: replaced once, named when missing, never shown.
import { describe, expect, test } from 'vitest';
import { resolveConfigText } from '../../../src/domain/config/config-text.js';
import { failureOf } from './failure-of.js';

const VARIABLES: Readonly<Record<string, string>> = { USER: 'app', PASSWORD: `s3:\${USER}$&`, EMPTY: '' };
const lookup = (name: string): string | undefined => VARIABLES[name];

describe('resolveConfigText', () => {
  test('replaces every piece once and leaves the values alone', () => {
    const text = `postgres://\${USER}:\${PASSWORD}@db/\${EMPTY}x$y`;
    expect(resolveConfigText(text, lookup, 'queue')).toBe(`postgres://app:s3:\${USER}$&@db/x$y`);
  });

  test('names the variable that is not set, and the key', () => {
    const failure = failureOf(() => resolveConfigText(`\${USER}-\${IN_URL}`, lookup, 'dataCenters[0].database'));
    expect(failure).toMatchObject({
      code: 'missing_environment_variable',
      message: 'dataCenters[0].database names the environment variable IN_URL, which is not set.',
      next: 'Set IN_URL and run the command again.',
    });
  });

  test('treats a value that is nothing but empty variables as missing', () => {
    const failure = failureOf(() => resolveConfigText(`\${EMPTY}`, lookup, 'queue'));
    expect(failure.message).toBe('queue names the environment variable EMPTY, which is empty.');
  });

  test.each([`\${}`, `\${a-b}`, `\${USER:-x}`, `\${ USER }`, `pass\${word`])('rejects the piece in %s', (text) => {
    const failure = failureOf(() => resolveConfigText(text, lookup, 'queue'));
    expect(failure.code).toBe('invalid_config');
    expect(failure.message).not.toContain('word');
  });
});
