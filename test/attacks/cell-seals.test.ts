// Kind 5. What needs two people is done in a cell only with a seal that control made for exactly that, and only once.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSealScene, SEALED_ACTIONS, type SealedAction, type SealScene } from './seal-scene.js';

const KINDS = Object.keys(SEALED_ACTIONS) as readonly SealedAction[];
let scene: SealScene;
beforeAll(async () => {
  scene = await openSealScene();
});
afterAll(() => scene.drop());

const alter = (document: string, change: object): string => JSON.stringify({ ...JSON.parse(document), ...change });

describe.each(KINDS)('the action "%s"', (kind) => {
  test('is not done without a seal', async () => {
    for (const document of [null, '{}', '[]', '"x"', JSON.stringify(scene.contentOf(kind))])
      expect(await scene.outcomeOf(kind, document)).toBe('seal_wrong');
  });

  test('is not done with a seal that was invented', async () => {
    const document = await scene.seal(kind);
    for (const mac of ['', '0'.repeat(64), null, 7, JSON.parse(document).mac.toUpperCase()])
      expect(await scene.outcomeOf(kind, alter(document, { mac }))).toBe('seal_wrong');
  });

  test('is not done when a field of what was sealed is changed, taken away or added', async () => {
    const document = await scene.seal(kind);
    const { mac, ...fields } = JSON.parse(document) as Record<string, unknown>;
    for (const name of Object.keys(fields)) {
      expect([name, await scene.outcomeOf(kind, alter(document, { [name]: 'another' }))]).toEqual([name, 'seal_wrong']);
      const { [name]: _taken, ...rest } = fields;
      expect([name, await scene.outcomeOf(kind, JSON.stringify({ ...rest, mac }))]).toEqual([name, 'seal_wrong']);
    }
    expect(await scene.outcomeOf(kind, alter(document, { more: 1 }))).toBe('seal_wrong');
  });

  test('is not done with a seal of another action', async () => {
    for (const other of KINDS.filter((one) => one !== kind))
      expect(await scene.outcomeOf(kind, await scene.seal(other, scene.contentOf(kind)))).toBe('seal_wrong');
  });

  test('is not done with a seal of another data center, though it had the same key', async () => {
    const own = scene.cell.dataCenter.id;
    await scene.cell.sql(`update credit_rollout.cell set data_center = 'other'`);
    const document = await scene.seal(kind);
    await scene.cell.sql('update credit_rollout.cell set data_center = $1', [own]);
    expect(await scene.outcomeOf(kind, document)).toBe('seal_wrong');
  });

  test('is not done with a seal that has expired by the clock of the cell', async () => {
    const document = await scene.seal(kind, scene.contentOf(kind), '-1 second');
    expect(await scene.outcomeOf(kind, document)).toBe('seal_expired');
  });

  test('is not done with a seal from before the key was changed', async () => {
    const document = await scene.seal(kind);
    const [old] = await scene.cell.sql(`select encode(inner_pad, 'hex') as key from credit_rollout.seal_key`);
    await scene.cell.sql(`update credit_rollout.seal_key set inner_pad = sha256('1') || sha256('2')`);
    expect(await scene.outcomeOf(kind, document)).toBe('seal_wrong');
    await scene.cell.sql(`update credit_rollout.seal_key set inner_pad = decode($1, 'hex')`, [old?.key]);
  });

  test('is asked for by no other role', async () => {
    const document = await scene.seal(kind);
    for (const login of [
      'worker',
      'planner',
      'reader',
      'fencer',
      'operator',
      'override',
      'product',
      'stranger',
    ] as const)
      if (login !== SEALED_ACTIONS[kind].by && login !== SEALED_ACTIONS[kind].too)
        expect(
          await scene.logins[login].attempt(
            `select credit_rollout.${SEALED_ACTIONS[kind].call}('${document}'${SEALED_ACTIONS[kind].more ?? ''})`,
          ),
        ).toBe('42501');
  });
});

describe('a key', () => {
  test('is read by no login, and makes a seal for none', async () => {
    for (const login of [
      'worker',
      'planner',
      'reader',
      'fencer',
      'operator',
      'override',
      'product',
      'stranger',
    ] as const)
      for (const statement of [
        'select * from credit_rollout.seal_key',
        'update credit_rollout.seal_key set made_at = now()',
        'select * from credit_rollout.used_seals',
        `select credit_rollout.check_seal('{}', 'run')`,
        `select credit_rollout.record_seal('{}')`,
        'copy credit_rollout.seal_key to stdout',
      ])
        expect(await scene.logins[login].attempt(statement)).toBe('42501');
  });

  test('shows of itself no more than whether another one is the same', async () => {
    const [row] = await scene.logins.reader.read('select credit_rollout.seal_key_fingerprint() as print');
    expect(row?.print).toMatch(/^[0-9a-f]{16}$/);
  });
});
