// The configuration as a text: what is no valid YAML, hostile aliases, variables that are not set, and passwords.
import { describe, expect, test } from 'vitest';
import { base, india, parse, withRollout } from './config-scene.js';
import { failureOf } from './failure-of.js';

describe('parseRolloutConfig', () => {
  test.each([
    ['a: [1\nb: {', 2],
    [`${base}rateCard: again\n`, 3],
    [`${base}\tqueue: x\n`, 3],
    [`${base}queue: !custom x\n`, 3],
    [`${base}queue: *nowhere\n`, 3],
    [`${base}---\nqueue: x\n`, 3],
    ['%YAML 1.1\n---\nqueue: x\n', 1],
  ])('names the line of what is not valid YAML: %j', (text, line) => {
    const failure = failureOf(() => parse(text));
    expect(failure.code).toBe('config_syntax');
    expect(failure.message.startsWith(`Line ${line} of the configuration`)).toBe(true);
  });

  test.each(['just text', '- a', '5'])('rejects %j, which has no keys', (text) => {
    expect(failureOf(() => parse(text))).toMatchObject({
      code: 'invalid_config',
      message: expect.stringMatching(/keys/),
    });
  });

  test('survives aliases that would grow without end', () => {
    const bomb = ['a: &a [x, x]', 'b: &b [*a, *a]', 'c: &c { c: *c }'].join('\n');
    expect(failureOf(() => parse(bomb)).code).toBe('unknown_config_key');
    expect(failureOf(() => parse(`${base}${india}rollout: &r { guardRails: *r }\n`)).code).toBe('unknown_config_key');
  });

  test('names a variable that is not set, and the key', () => {
    const failure = failureOf(() => parse(base.replace('./rate-card.yaml', `\${NOWHERE}`) + india));
    expect(failure.code).toBe('missing_environment_variable');
    expect(failure.message).toBe('rateCard (line 2) names the environment variable NOWHERE, which is not set.');
  });

  test('never shows a password', () => {
    const url = 'postgres://app:CANARY@db/x';
    const texts = [
      `${base}${india}${url}\n`,
      `${base}${india}"${url}": 1\n`,
      base.replace('./rate-card.yaml', `[${url}]`) + india,
      withRollout(`batchSize: ${url}`),
      withRollout(`bake: ${url}`),
      withRollout(`notBefore: ${url}`),
      withRollout(`windows: [{ from: "${url}", to: x }]`),
      base + india.replace('Asia/Kolkata', url),
      base + india.replace('id: in', `id: ${url}`),
      `${base}${india}queue: [${url}]\n`,
      `${base}${india}queue: "${url}" x\n`,
      `${base}${india}queue: ${url} x: y\n`,
      `${base}${india}queue: &${url} 1\nrollout: *${url}2\n`,
    ];
    for (const text of texts) {
      const failure = failureOf(() => parse(text));
      expect(`${failure.message} ${failure.next}`).not.toContain('CANARY');
    }
  });
});
