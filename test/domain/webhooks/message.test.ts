// What a webhook is told: one sentence that needs no documentation, the command, and a signature that others verify.
import { describe, expect, test } from 'vitest';
import { FAILURES } from '../../../src/domain/rollout/failure.js';
import { HOLD_CODES, HOLDS } from '../../../src/domain/rollout/hold.js';
import { createMessage, type WebhookEvent } from '../../../src/domain/webhooks/event.js';
import { signMessage } from '../../../src/domain/webhooks/sign-message.js';

const since = new Date('2026-05-04T10:00:00Z');
const event: WebhookEvent = {
  eventId: 7n,
  messageId: '0b4c1c3e-2b1f-4f0e-9c55-0a6a3b1c2d3e',
  kind: 'hold.began',
  dataCenter: 'eu',
  code: 'needs_approval',
  value: 'eu-7',
  limit: null,
  failure: null,
  release: 'credit-rollout approve eu-7',
  needsPerson: true,
  since,
  until: null,
};

describe('createMessage', () => {
  test('a hold: why, since when, and the command', () => {
    const { text, type, data } = createMessage(event, 'https://wiki.example/eu');
    expect(text).toBe(
      'eu is not moving since 2026-05-04T10:00:00.000Z: its plan needs the approval of a second person, not of its author (eu-7).\n' +
        'Next: credit-rollout approve eu-7\nhttps://wiki.example/eu',
    );
    expect(type).toBe('hold.began');
    expect(data).toMatchObject({ event_id: '7', command: 'credit-rollout approve eu-7', needs_person: true });
  });

  test('a hold that ends by itself: no command, and what it waits for', () => {
    const { text, data } = createMessage(
      { ...event, code: 'throttled', value: 'lag', limit: '1', release: 'it goes on when the check passes' },
      null,
    );
    expect(text).toBe(
      `eu is not moving since 2026-05-04T10:00:00.000Z: ${HOLDS.throttled.meaning} ` +
        '(lag, limit 1). It goes on when the check passes.',
    );
    expect(data.command).toBeNull();
  });

  test('every hold code has its own sentence, and the end of a hold names it', () => {
    for (const code of HOLD_CODES) {
      expect(createMessage({ ...event, code }, null).text).toContain(HOLDS[code].meaning);
      const ended = createMessage(
        { ...event, code, kind: 'hold.ended', until: new Date('2026-05-04T11:00:00Z') },
        null,
      );
      expect(ended.text).toContain(`this is over since 2026-05-04T11:00:00.000Z: ${HOLDS[code].meaning}`);
      expect(ended.data.command).toBeNull();
    }
    expect(createMessage({ ...event, code: 'of_a_newer_version' }, null).text).toContain('of_a_newer_version');
  });

  test('stages, sign-ups, and what waits for a second person', () => {
    const textOf = (changed: Partial<WebhookEvent>) =>
      createMessage({ ...event, release: null, ...changed }, null).text;
    expect(textOf({ kind: 'stage.changed', code: 'failed', value: 'migrating' })).toBe(
      'eu is at stage failed now; it was at migrating.\nNext: credit-rollout status',
    );
    for (const [failure, meaning] of Object.entries(FAILURES))
      expect(textOf({ kind: 'stage.changed', code: 'failed', value: 'verifying', failure })).toBe(
        `eu is at stage failed now; it was at verifying. Why: ${meaning} (${failure}).\nNext: credit-rollout status`,
      );
    expect(textOf({ kind: 'stage.changed', code: 'failed', value: 'verifying', failure: 'of_a_newer_version' })).toBe(
      'eu is at stage failed now; it was at verifying. (of_a_newer_version)\nNext: credit-rollout status',
    );
    expect(textOf({ kind: 'signups.switched', code: 'switched', value: null })).toBe(
      'eu: new sign-ups start on credits since 2026-05-04T10:00:00.000Z.',
    );
    expect(textOf({ kind: 'signups.swept', code: 'swept', value: null })).toContain('is checked since');
    expect(textOf({ kind: 'approval.needed', dataCenter: null, code: 'audit_cut', value: 'h3' })).toBe(
      'the audit: h3 (audit_cut) waits for the approval of a second person.\nNext: credit-rollout approve h3',
    );
    expect(textOf({ kind: 'approval.needed', dataCenter: null, code: 'setting', value: 's3' })).toBe(
      'the policy: s3 (setting) waits for the approval of a second person.\nNext: credit-rollout approve s3',
    );
  });
});

test('signatures are those of the test vector of Standard Webhooks', () => {
  const key = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');
  const body = '{"test": 2432232314}';
  const at = new Date(1_614_265_330_000);
  expect(signMessage({ messageId: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body, at }, key)).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});
