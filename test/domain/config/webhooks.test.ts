// The key `webhooks`: what it may hold, and that neither URL nor secret is ever shown.
import { describe, expect, test } from 'vitest';
import { parseRolloutConfig } from '../../../src/domain/config/parse-config.js';
import { resolveWebhook } from '../../../src/domain/config/resolve-webhook.js';
import { isRolloutError } from '../../../src/kernel/rollout-error.js';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const parse = (entries: string) =>
  parseRolloutConfig(
    `controlDatabase: postgres://c\nrateCard: card.yaml\ndataCenters:\n  - { id: in, zone: UTC, database: postgres://a, source: a.b }\n${entries}`,
    { lookup: () => undefined },
  );
const resolve = (url: string, secret: string | undefined = SECRET) =>
  resolveWebhook(
    { name: 'ops', url: { text: url }, ...(secret !== undefined && { secret: { text: secret } }) },
    (name) => (name === 'URL' ? 'https://hooks.example/x' : undefined),
  );

/** The message of the error, which shows no marker. */
function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (!isRolloutError(error)) throw error;
    expect(`${error.message} ${JSON.stringify(error)}`).not.toContain('marker');
    return `${error.code}: ${error.message}`;
  }
  return 'none';
}

describe('webhooks', () => {
  test('left out: none; written: as it is, unresolved', () => {
    expect(parse('').webhooks).toEqual([]);
    const entry = `webhooks: [{ name: ops, url: "\${A}", secret: "\${B}", link: "https://wiki.example/eu" }]`;
    expect(parse(entry).webhooks).toEqual([
      { name: 'ops', url: { text: `\${A}` }, secret: { text: `\${B}` }, link: 'https://wiki.example/eu' },
    ]);
  });

  test.each([
    ['webhooks: [{ name: Ops, url: "https://a" }]', 'but it must be a small letter'],
    ['webhooks: [{ name: ops }]', 'webhooks[0].url'],
    ['webhooks: [{ name: ops, url: "https://a" }, { name: ops, url: "https://b" }]', 'it must be used once'],
    ['webhooks: [{ name: ops, url: "https://a", link: "javascript:alert(1)" }]', 'it must be a URL with https://'],
    ['webhooks: [{ name: ops, url: "https://a", method: PUT }]', 'method'],
    [
      `webhooks: [${Array.from({ length: 11 }, (_, n) => `{ name: a${n}, url: "https://a" }`).join(', ')}]`,
      'at most 10',
    ],
  ])('refuses %s', (entries, expected) => {
    expect(refusal(() => parse(entries))).toContain(expected);
  });

  test('a URL is https, or http on this machine; a variable is replaced when it is used', () => {
    expect(resolve(`\${URL}`).url).toBe('https://hooks.example/x');
    for (const url of ['http://127.0.0.1:9/x', 'http://localhost/x', 'http://[::1]:9/'])
      expect(resolve(url).url).toBe(url);
    for (const url of ['http://marker.example/x', 'http://127.0.0.1.marker.example/', 'ftp://marker/', 'marker', ''])
      expect(refusal(() => resolve(url))).toMatch(/^invalid_config: webhooks\.ops\.url /u);
    expect(refusal(() => resolve('https://u:marker@hooks.example/'))).toContain('holds a user or a password');
    expect(refusal(() => resolve(`\${MISSING}`))).toContain('missing_environment_variable');
  });

  test('a secret is whsec_ and base64 of 24 to 64 bytes; without one nothing is signed', () => {
    expect(resolve('https://a', SECRET).key).toHaveLength(24);
    expect(resolveWebhook({ name: 'ops', url: { text: 'https://a' } }, () => undefined).key).toBeNull();
    for (const secret of ['marker', 'whsec_marker', `whsec_${'A'.repeat(100)}`, ''])
      expect(refusal(() => resolve('https://a', secret))).toContain('webhooks.ops.secret is not whsec_');
  });
});
