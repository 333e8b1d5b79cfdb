// What happens is told: every hold code and every stage, once while the receiver answers, in order, and never lost while
// it does not.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FAILURES } from '../../../src/domain/rollout/failure.js';
import { HOLD_CODES, HOLDS } from '../../../src/domain/rollout/hold.js';
import { STAGES } from '../../../src/domain/rollout/stage.js';
import { deliverWebhooks } from '../../../src/engine/webhooks/deliver.js';
import { readWebhooks, resend } from '../../../src/engine/webhooks/list-webhooks.js';
import { purgeWebhooks } from '../../../src/engine/webhooks/purge-webhooks.js';
import { sendWebhook } from '../../../src/http/send-webhook.js';
import { saveHolds } from '../../../src/stores/control/holds.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { type Receiver, startReceiver } from './receiver.js';

let fleet: Fleet;
let receiver: Receiver;
const receivers: Receiver[] = [];
beforeAll(async () => {
  fleet = await createFleet({ orgs: 1 });
});
afterAll(() => fleet.drop());
beforeEach(async () => {
  await fleet.control('truncate credit_rollout_control.webhooks, credit_rollout_control.webhook_events cascade');
  receiver = await start('ops');
});
afterEach(async () => {
  await hold();
  await Promise.all(receivers.splice(0).map((one) => one.close()));
});

/** Known to control from now on. */
async function start(name: string): Promise<Receiver> {
  const started = await startReceiver(name);
  receivers.push(started);
  await deliver(started);
  return started;
}

const deliver = (...to: readonly Receiver[]): Promise<number> =>
  deliverWebhooks(
    { ...fleet.engine, send: sendWebhook },
    to.map(({ webhook }) => webhook),
    new AbortController().signal,
  );

const id = (): string => fleet.cell(0).dataCenter.id;
/** The holds that there are now. */
const hold = (...codes: readonly (typeof HOLD_CODES)[number][]): Promise<void> =>
  fleet.engine.control.inTransaction((tx) =>
    saveHolds(
      tx,
      id(),
      codes.map((code) => ({
        code,
        value: null,
        limit: null,
        release: 'it waits',
        needsPerson: HOLDS[code].needsPerson,
      })),
    ),
  );
/** A minute passes for what waits to be told. */
const passMinute = () =>
  fleet.control(`with moved as (update credit_rollout_control.webhook_events set due_at = due_at - interval '1 minute'
    returning event_id)
    update credit_rollout_control.webhook_deliveries set due_at = clock_timestamp() - interval '1 s'
    where event_id in (select event_id from moved)`);
const wake = () => fleet.control('update credit_rollout_control.webhooks set next_attempt_at = clock_timestamp()');
const told = ({ received }: Receiver): readonly unknown[] => received.map(({ type, data }) => `${type} ${data.code}`);

describe('what is told', () => {
  test('every hold, once: at once where it needs a person, else after a minute; and its end', async () => {
    await hold(...HOLD_CODES);
    await deliver(receiver);
    const atOnce = HOLD_CODES.filter((code) => HOLDS[code].needsPerson);
    expect(told(receiver).toSorted()).toEqual(atOnce.map((code) => `hold.began ${code}`).toSorted());
    await passMinute();
    // as every tick saves them again
    await hold(...HOLD_CODES);
    await deliver(receiver);
    expect(told(receiver).toSorted()).toEqual(HOLD_CODES.map((code) => `hold.began ${code}`).toSorted());
    await hold();
    await deliver(receiver);
    const ended = HOLD_CODES.map((code) => `hold.ended ${code}`);
    expect(told(receiver).slice(HOLD_CODES.length).toSorted()).toEqual(ended.toSorted());
    expect(receiver.received.every(({ isSigned }) => isSigned)).toBe(true);
    expect(new Set(receiver.received.map((one) => one.id)).size).toBe(2 * HOLD_CODES.length);
  });

  test('a hold that ends within a minute is not told, nor its end', async () => {
    await hold('throttled');
    await hold();
    await passMinute();
    await deliver(receiver);
    expect(told(receiver)).toEqual([]);
  });

  test('every stage, the cut-over, and what waits for a second person', async () => {
    const moves: readonly string[] = (
      await fleet.control('select from_stage, to_stage from credit_rollout_control.stage_transitions')
    ).map((row) => `${row.from_stage} ${row.to_stage}`);
    await fleet.control('alter table credit_rollout_control.data_centers disable trigger user');
    await fleet.control('alter table credit_rollout_control.data_centers enable trigger data_centers_told');
    for (const move of moves) {
      const [from, to] = move.split(' ');
      await fleet.control('update credit_rollout_control.data_centers set stage = $1', [from]);
      await fleet.control('truncate credit_rollout_control.webhook_events cascade');
      await fleet.control('update credit_rollout_control.data_centers set stage = $1', [to]);
      await deliver(receiver);
      expect(receiver.received.at(-1)).toMatchObject({ type: 'stage.changed', data: { code: to, value: from } });
    }
    expect(new Set(receiver.received.map(({ data }) => data.code))).toEqual(new Set(STAGES));
    for (const failure of [...Object.keys(FAILURES), 'allotments_follow_rule']) {
      await fleet.control(`update credit_rollout_control.data_centers set stage = 'migrating'`);
      await fleet.control(`update credit_rollout_control.data_centers set stage = 'failed', failure = $1`, [failure]);
      await deliver(receiver);
      expect(receiver.received.at(-1)).toMatchObject({ data: { code: 'failed', failure, needs_person: true } });
    }
    for (const column of ['gate_latched_at', 'gate_swept_at'])
      await fleet.control(`update credit_rollout_control.data_centers set ${column} = now()`);
    await fleet.control('alter table credit_rollout_control.data_centers enable trigger user');
    await fleet.control(`insert into credit_rollout_control.policy_changes (name, to_value, reason)
      values ('reconcile.driftRetention', '"P500D"', 'a test')`);
    await deliver(receiver);
    expect(told(receiver).slice(-3)).toEqual([
      'signups.switched switched',
      'signups.swept swept',
      'approval.needed setting',
    ]);
    expect(receiver.received.at(-1)?.text).toMatch(/Next: credit-rollout approve s\d+$/u);
    await fleet.control(
      `insert into credit_rollout_control.audit_cuts (reason, parts) values ('a test', jsonb_build_array(jsonb_build_object(
        'data_center', $1::text, 'heads', jsonb_build_array(jsonb_build_object('link', '900', 'hash', repeat('0', 64))))))`,
      [fleet.cell(0).dataCenter.id],
    );
    await deliver(receiver);
    expect(receiver.received.at(-1)).toMatchObject({
      text: 'the audit: h1 (audit_cut) waits for the approval of a second person.\nNext: credit-rollout approve h1',
    });
  });

  test('nothing is kept where nobody is told', async () => {
    await fleet.control('truncate credit_rollout_control.webhooks cascade');
    await hold('paused');
    expect(await fleet.control('select from credit_rollout_control.webhook_events')).toEqual([]);
  });
});

describe('delivery', () => {
  test('three schedulers tell a receiver that answers exactly once, each webhook in order', async () => {
    const second = await start('wiki');
    await hold('paused');
    await hold('frozen');
    await hold('paused');
    await Promise.all([1, 2, 3].map(() => deliver(receiver, second)));
    const expected = ['paused', 'frozen', 'paused', 'frozen', 'paused'];
    for (const one of [receiver, second]) {
      expect(one.received.map(({ data }) => data.code).toSorted()).toEqual(expected.toSorted());
      const numbers = one.received.map(({ data }) => Number(data.event_id));
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
  });

  test('a receiver that fails is asked again later, with the same id; the others are not kept waiting', async () => {
    const second = await start('wiki');
    receiver.answer(503);
    await hold('paused');
    await Promise.all([deliver(receiver, second), deliver(receiver, second)]);
    expect([receiver.received.length, second.received.length]).toEqual([1, 1]);
    // not before its time
    await deliver(receiver, second);
    expect(receiver.received).toHaveLength(1);
    const { webhooks } = await readWebhooks(fleet.engine);
    expect(webhooks.find(({ webhook }) => webhook === 'ops')).toMatchObject({
      failures: 1,
      error: 'http_503',
      waiting: 1,
    });
    receiver.answer(204);
    await wake();
    await deliver(receiver, second);
    expect(receiver.received.map((one) => one.id)).toEqual([second.received[0]?.id, second.received[0]?.id]);
    expect((await readWebhooks(fleet.engine)).webhooks.map(({ failures }) => failures)).toEqual([0, 0]);
  });

  test('a redirect is not followed, and no text of a receiver is stored', async () => {
    const elsewhere = await start('elsewhere');
    receiver.answer(307, elsewhere.webhook.url);
    await hold('paused');
    await deliver(receiver);
    expect(elsewhere.received).toEqual([]);
    const rows = await fleet.control(`select to_jsonb(d)::text || to_jsonb(w)::text as text
      from credit_rollout_control.webhook_deliveries d join credit_rollout_control.webhooks w using (webhook)`);
    expect(JSON.stringify(rows)).toContain('redirected');
    expect(JSON.stringify(rows)).not.toMatch(/marker|127\.0\.0\.1/u);
  });

  test('a message that is refused three times is given up, the next one is told, and a person sends it again', async () => {
    receiver.answer(422);
    await hold('paused');
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await deliver(receiver);
      await wake();
    }
    receiver.answer(204);
    await hold('frozen');
    await deliver(receiver);
    expect(told(receiver).slice(3)).toEqual(['hold.ended paused', 'hold.began frozen']);
    const { dead } = await readWebhooks(fleet.engine);
    expect(dead).toMatchObject([{ code: 'paused', error: 'http_422', attempts: 3 }]);
    const all = { webhook: 'ops', eventId: null, reason: 'a test' };
    expect(await resend(fleet.engine, all)).toBe(1);
    expect(await resend(fleet.engine, all)).toBe(0);
    await deliver(receiver);
    expect(told(receiver).at(-1)).toBe('hold.began paused');
    const [entry] = await fleet.control(
      `select reason, details from credit_rollout_control.audit where action = 'resend_webhook'`,
    );
    expect(entry).toEqual({ reason: 'a test', details: { webhook: 'ops', event: null, messages: 1 } });
    await expect(resend(fleet.engine, { ...all, webhook: 'none' })).rejects.toMatchObject({ code: 'webhook_unknown' });
  });

  test('a scheduler that dies while it sends leaves the message to another, after its lease', async () => {
    receiver.answer('nothing');
    await hold('paused');
    const stopping = new AbortController();
    const dying = deliverWebhooks({ ...fleet.engine, send: sendWebhook }, [receiver.webhook], stopping.signal);
    await expect.poll(() => receiver.received.length).toBe(1);
    // the other one waits for the lease
    await deliver(receiver);
    expect(receiver.received).toHaveLength(1);
    await fleet.control('update credit_rollout_control.webhooks set leased_until = now()');
    receiver.answer(204);
    await deliver(receiver);
    expect(receiver.received).toHaveLength(2);
    stopping.abort();
    expect(await dying).toBe(0);
    expect((await readWebhooks(fleet.engine)).webhooks).toMatchObject([{ waiting: 0, failures: 0, error: null }]);
  });

  test('what was delivered is purged after a week, what was given up after a month', async () => {
    await hold('paused');
    await deliver(receiver);
    receiver.answer(500);
    await hold('frozen');
    await deliver(receiver);
    const age = (days: number) =>
      fleet.control(`update credit_rollout_control.webhook_events set due_at = now() - interval '${days} days'`);
    await fleet.control(
      'alter table credit_rollout_control.webhook_deliveries disable trigger webhook_deliveries_sign',
    );
    await fleet.control(`update credit_rollout_control.webhook_deliveries set settled_at = now() - interval '8 days'
      where settled_at is not null`);
    await fleet.control('alter table credit_rollout_control.webhook_deliveries enable trigger webhook_deliveries_sign');
    await age(8);
    expect(await purgeWebhooks(fleet.engine)).toBe(1);
    await age(31);
    expect(await purgeWebhooks(fleet.engine)).toBe(2);
    expect(await fleet.control('select from credit_rollout_control.webhook_deliveries')).toEqual([]);
  });
});
