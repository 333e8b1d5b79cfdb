// Kind 4. What the first apply pins is what the policy says; what control has seen of a cell is a scheduler's to write;
// guard-rails let a plan through only where the policy and the plan's own counts do.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { setPolicy } from '../support/policy.js';
import { type ControlScene, INSIDE, openControlScene, underItsEpoch } from './control-scene.js';

const DENIED = '42501';
const RESTRICTED = '23001';
const CHECKED = '23514';
const schema = 'credit_rollout_control';
let scene: ControlScene;
let n = 100;
beforeAll(async () => {
  scene = await openControlScene();
});
afterAll(() => scene.drop());
beforeEach(async () => {
  n += 10;
  await past(`update ${schema}.rollout set pinned_at = null, card_hash = null, epoch = 5;
    delete from ${schema}.postponements; delete from ${schema}.approvals; delete from ${schema}.runs;
    update ${schema}.data_centers set stage = 'pending', requested_at = null, plan_id = null, run_id = null, epoch = 5,
      quiet = false, not_before_at = null, not_before_local = null, cutover_at = null, cutover_local = null,
      cutover_set_at = null, gate_latched_at = null, gate_effective_at = null`);
  await setPolicy(scene.fleet, {
    'rollout.approval': 'auto',
    'rollout.guardRails.orgsTouched': 10,
    'rollout.notBefore': '2098-10-06',
    'signups.cutover': '2098-10-30T22:00',
  });
});

const past = (text: string): Promise<unknown> => scene.past(text);
const dc = (): string => scene.dataCenters[0];
const set = (assignments: string, where = `id = '${dc()}'`): string =>
  `update ${schema}.data_centers set ${assignments} where ${where}`;

describe('the first apply', () => {
  const PIN = `update ${schema}.rollout set pinned_at = now(), card_hash = 'card', card_name = 'card'`;
  const NOT_BEFORE = `not_before_at = '2098-10-06T00:00Z', not_before_local = '2098-10-06T00:00:00 UTC'`;
  const CUTOVER = `cutover_at = '2098-10-30T22:00Z', cutover_local = '2098-10-30T22:00:00 UTC'`;
  const pin = (assignments: string, where = 'true'): Promise<string> =>
    scene.logins.operator.attempt('begin', PIN, set(assignments, where), 'commit');

  test('pins what the policy says in every data center', async () => {
    expect(await pin(`${NOT_BEFORE}, ${CUTOVER}`)).toBe('done');
    expect(await scene.logins.operator.attempt(PIN)).toBe(RESTRICTED);
    expect(await scene.logins.operator.attempt(PIN.replace('now()', 'null'))).toBe(RESTRICTED);
  });

  test.each([
    ['another start', `not_before_at = '2020-01-01', not_before_local = '2020-01-01T00:00:00 UTC', ${CUTOVER}`],
    ['no start', CUTOVER],
    ['another cut-over', `${NOT_BEFORE}, cutover_at = '2020-01-01', cutover_local = '2020-01-01T00:00:00 UTC'`],
    ['no cut-over', NOT_BEFORE],
    ['a cut-over an hour early', `${NOT_BEFORE}, ${CUTOVER.replace("T22:00Z'", "T21:00Z'")}`],
    ['a text that says something else', `${NOT_BEFORE}, ${CUTOVER.replace('T22:00:00 UTC', 'T23:00:00 UTC')}`],
    ['a start in another zone', `${NOT_BEFORE.replace('T00:00Z', 'T00:00+05:30')}, ${CUTOVER}`],
  ])('does not pin %s', async (_what, assignments) => {
    expect(await pin(assignments)).toBe(CHECKED);
  });

  test('does not leave a data center out, so that it starts at once', async () => {
    expect(await pin(`${NOT_BEFORE}, ${CUTOVER}`, `id = '${dc()}'`)).toBe(CHECKED);
    expect(await scene.logins.operator.attempt(PIN)).toBe(CHECKED);
  });

  test('is the only statement that pins: instants do not come before, after or without it', async () => {
    for (const login of [scene.logins.operator, scene.logins.both])
      for (const assignments of [NOT_BEFORE, CUTOVER, `${NOT_BEFORE}, ${CUTOVER}`])
        expect(await login.attempt(set(assignments))).toBe(RESTRICTED);
    expect(await pin(`${NOT_BEFORE}, ${CUTOVER}`)).toBe('done');
    for (const assignments of ['not_before_at = null', `not_before_local = 'x'`, `cutover_local = 'x'`])
      for (const login of [scene.logins.operator, scene.logins.both])
        expect(await login.attempt(set(assignments))).toBe(RESTRICTED);
  });

  test('that pinned no cut-over leaves none that one approver gives alone', async () => {
    await setPolicy(scene.fleet, { 'signups.cutover': null });
    expect(await pin(NOT_BEFORE)).toBe('done');
    for (const login of [scene.logins.approver, scene.logins.operator, scene.logins.both])
      expect(await login.attempt(set(CUTOVER))).toBe(RESTRICTED);
    const proposal = `insert into ${schema}.postponements (data_center, to_at, to_local, reason)
      values ('${dc()}', '2098-10-30T22:00Z', '2098-10-30T22:00:00 UTC', 'now we know')`;
    expect(await scene.logins.operator.attempt(proposal)).toBe('done');
    const applied = `update ${schema}.postponements set state = 'applied'`;
    expect(await scene.logins.approver.attempt('begin', applied, set(CUTOVER), 'commit')).toBe('done');
  });
});

describe('what control has seen', () => {
  test.each([
    'quiet = true',
    'single_writes = true',
    `failure = 'verification_mismatch'`,
    'gate_latched_at = now()',
    'gate_effective_at = null, gate_configured_at = now()',
    'gate_swept_at = now()',
  ])('is not written by an operator or an approver: %s', async (assignments) => {
    for (const login of [scene.logins.operator, scene.logins.both, scene.logins.approver])
      expect(await login.attempt(set(assignments))).toBe(DENIED);
  });

  test('of a latch is not taken back without a reversal', async () => {
    await past(set('gate_latched_at = now(), gate_effective_at = now()'));
    for (const login of [scene.logins.operator, scene.logins.both, scene.logins.approver])
      expect(await login.attempt(set('gate_latched_at = null, gate_effective_at = null'))).toBe(DENIED);
  });

  test('of epochs makes no leap to the last one', async () => {
    for (const login of [scene.logins.operator, scene.logins.scheduler]) {
      // a scheduler follows a fence as far as a cell lets one go
      const far = login === scene.logins.operator ? '1000006' : '9000000000000000';
      for (const epoch of ['9223372036854775807', far, '4'])
        expect(await login.attempt(`update ${schema}.rollout set epoch = ${epoch}`)).toBe(RESTRICTED);
      for (const epoch of ['9223372036854775807', '6', '4', 'null'])
        expect(await login.attempt(set(`epoch = ${epoch}`))).toBe(RESTRICTED);
    }
    expect(await scene.logins.scheduler.attempt(`update ${schema}.rollout set epoch = 6`, set('epoch = 6'))).toBe(
      'done',
    );
  });
});

describe('guard-rails', () => {
  const approve = (plan: string): string =>
    `insert into ${schema}.approvals (plan_id, kind) values ('${plan}', 'guard_rails')`;
  const use = (plan: string): string =>
    `update ${schema}.approvals set used_at = now(), used_by_run = ${n} where plan_id = '${plan}'`;
  const start = (plan: string): readonly string[] => [
    'begin',
    underItsEpoch(
      n,
      `insert into ${schema}.runs (run_id, data_center, kind, card_hash, plan_id)
       values (${n}, '${dc()}', 'migrate', 'card', '${plan}')`,
    ),
    use(plan),
    set(`stage = 'canary', run_id = ${n}`),
    'commit',
  ];

  test.each([
    ['too many orgs', { touched: 11 }],
    ['a protected org', { protectedTouched: 1 }],
    ['a paid org that falls', { paidFalling: 1 }],
    ['too many undecidable orgs', { quarantined: 50 }],
    ['fewer orgs than none', { touched: -1 }],
    ['a text as a number', { touched: '5' }],
    ['sums that are no numbers', { before: 'NaN', after: 'NaN' }],
    ['sums without end', { before: 'Infinity' }],
    ['a factor as a text', { maxRaiseFactor: 'NaN' }],
    ['nothing', { orgs: undefined, touched: undefined }],
  ])('let no plan through whose counts have %s, although its readings pass', async (_what, counts) => {
    const register = scene.register(n, { passes: true, counts: JSON.stringify({ ...INSIDE, ...counts }) });
    for (const rails of [register, register.replace(/'\[\{.*\}\]'/u, `'[]'`)]) {
      await past(`delete from ${schema}.plans`);
      expect(await scene.logins.operator.attempt(rails)).toBe('done');
      expect(await scene.logins.operator.attempt(approve(scene.planOf(n)))).toBe(CHECKED);
      expect(await scene.logins.scheduler.attempt(approve(scene.planOf(n)))).toBe(CHECKED);
    }
  });

  test('let a plan through only where the policy says so, when it is approved and when it starts', async () => {
    const { operator, scheduler } = scene.logins;
    const plan = scene.planOf(n);
    await setPolicy(scene.fleet, { 'rollout.approval': 'required' });
    expect(await operator.attempt(scene.register(n, { passes: true }))).toBe('done');
    expect(await operator.attempt(approve(plan))).toBe(CHECKED);
    await setPolicy(scene.fleet, { 'rollout.approval': 'auto' });
    expect(await operator.attempt(approve(plan))).toBe('done');
    await past(set(`requested_at = now(), plan_id = '${plan}'`));
    await setPolicy(scene.fleet, { 'rollout.approval': 'required' });
    expect(await scheduler.attempt(...start(plan))).toBe(CHECKED);
    await setPolicy(scene.fleet, { 'rollout.approval': 'auto', 'rollout.guardRails.orgsTouched': 8 });
    expect(await scheduler.attempt(...start(plan))).toBe(CHECKED);
    await setPolicy(scene.fleet, { 'rollout.guardRails.orgsTouched': 9 });
    expect(await scheduler.attempt(...start(plan))).toBe('done');
  });
});
