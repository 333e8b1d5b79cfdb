import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../captured-io.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-cli-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A configuration whose databases nobody answers for. */
async function writeConfig(own: string): Promise<string> {
  const path = join(folder, `${Math.random().toString(36).slice(2)}.yaml`);
  const dataCenter = '{ id: eu, zone: Europe/Berlin, database: "postgres://localhost:1/x", source: public.orgs }';
  await writeFile(
    path,
    `controlDatabase: postgres://localhost:1/x\nrateCard: card.yaml\n${own}\ndataCenters: [${dataCenter}]\n`,
  );
  return path;
}

describe('runCli', () => {
  test.each([
    ['--reason', ['pause', '--dc', 'eu', '--reason', 'x'.repeat(2_001)]],
    ['--text', ['exception', 'add', '7', '--dc', 'eu', '--text', 'x'.repeat(2_001)]],
  ])('refuses a text of %s that is longer than what is kept', async (option, args) => {
    const { code, err } = await runCommand(...args);
    expect(code).toBe(1);
    expect(err.replaceAll(/\s+/gu, ' ')).toContain(
      `error [invalid_argument] The text of ${option}, "${'x'.repeat(40)}…", has 2001 characters; at most 2000 are kept.`,
    );
    expect(err).toContain('Write it shorter');
  });

  test('suggests the command that was meant', async () => {
    const { code, err } = await runCommand('aply');
    expect(code).toBe(1);
    expect(err).toContain("error [invalid_argument] Unknown command 'aply'.");
    expect(err).toContain('Did you mean apply?');
  });

  test.each([
    [['cutover', 'exceute', '--dc', 'eu'], "Unknown command 'cutover exceute'.", 'Did you mean cutover execute?'],
    [['--json', 'plans', 'shows', 'in-1'], "Unknown command 'plans shows'.", 'Did you mean plans show?'],
    [['plans', 'in-1'], "Unknown command 'plans in-1'.", 'Write one of: plans show, plans diff.'],
    [
      ['freeze', 'in'],
      "Too many arguments for 'freeze'. Expected 0 arguments but got 1.",
      'Run: credit-rollout freeze --help',
    ],
  ])('names the action of %j that does not exist', async (args, message, next) => {
    const { code, out, err } = await runCommand(...args);
    expect(code).toBe(1);
    expect(out + err).toContain(message);
    expect(out + err).toContain(next);
  });

  test.each([
    [['why', '--x\nRun: evil', '--dc', 'in'], "Unknown option '--x\\u000aRun: evil'.", 'why --help'],
    [
      ['why', '--x\n(Did you mean evil?)', '--dc', 'in'],
      "Unknown option '--x\\u000a(Did you mean evil?)'.",
      'why --help',
    ],
    [['apl\n(Did you mean evil?)\n'], "Unknown command 'apl\\u000a(Did", '--help'],
    [['status', '--within', '1\nRun: evil'], 'Option', 'status --help'],
    [[`x${'y'.repeat(5_000)}`], "Unknown command 'xyyy", '--help'],
  ])('takes no line of an argument for its own (%#)', async (args, message, help) => {
    const { code, out } = await runCommand(...args, '--json');
    const { error } = JSON.parse(out);
    expect([code, error.code, error.next]).toEqual([1, 'invalid_argument', `Run: credit-rollout ${help}`]);
    expect(error.message).toContain(message);
    expect(error.message.length).toBeLessThan(500);
  });

  test('keeps the suggestion of an option', async () => {
    expect((await runCommand('apply', '--excute')).err).toContain('next: Did you mean --execute?');
  });

  test('cuts a value of a configuration that would fill the screen', async () => {
    const config = join(folder, 'long.yaml');
    await writeFile(config, `controlDatabase: \${${'A'.repeat(300_000)}}\nrateCard: x.yaml\ndataCenters: []\n`);
    const { out, err } = await runCommand('calendar', '--config', config);
    expect([out.length < 2_000, err.length < 2_000]).toEqual([true, true]);
  });

  test.each([
    [[], 'credit-rollout --help'],
    [['plan', '--nonsense-of-mine'], 'credit-rollout plan --help'],
    [['--config', 'plan', 'why'], 'credit-rollout --config plan why --help'],
    [['cutover', 'postpone', '--dc'], 'credit-rollout cutover postpone --help'],
    [['plans', 'diff', 'in-1'], 'credit-rollout plans diff --help'],
    [['audit', '--limit', 'many'], 'credit-rollout audit --help'],
  ])('leads from %j to the help of that command', async (args, help) => {
    const { code, err } = await runCommand(...args);
    expect(code).toBe(1);
    expect(err).toMatch(/\[invalid_argument\]/u);
    expect(err.trimEnd()).toMatch(new RegExp(`next: Run: ${help}$`, 'u'));
  });

  test.each([
    [['pause', '--dc', 'in', '--dc', 'eu'], '--dc'],
    [['cutover', 'postpone', '--dc', 'in', '--to', '2027-01-01', '--dc=eu'], '--dc'],
    [['audit', '--limit', '3', '--limit', '4'], '--limit'],
    [['--reason', 'a', 'freeze', '--reason', 'b'], '--reason'],
  ])('rejects %j: no option is silently overwritten', async (args, option) => {
    const { code, err } = await runCommand(...args);
    expect(code).toBe(1);
    expect(err).toContain('[invalid_argument]');
    expect(err).toContain(option);
    expect(err).toContain('It may be given only once.');
  });

  test('takes several values of an option that may have them, however they are given', async () => {
    const { err } = await runCommand('freeze', '--dc', 'xx', '--dc', 'yy', '--config', await writeConfig(''));
    expect(err).toContain('[unknown_data_center]');
  });

  test('shows an error as one document with --json, wherever the option is', async () => {
    const { code, out, err } = await runCommand('--json', 'plan');
    expect(code).toBe(1);
    expect(JSON.parse(out).error.code).toBe('invalid_argument');
    expect(err).toBe('');
  });

  test('shows help without an error', async () => {
    const { code, out } = await runCommand('--help');
    expect(code).toBe(0);
    expect(out).toContain('apply');
    expect(out).not.toContain('demo');
  });

  test.each([['--version'], ['-v'], ['status', '--version']])('prints the version for %s %s', async (...args) => {
    const { version } = JSON.parse(await readFile(new URL('../../../package.json', import.meta.url), 'utf8'));
    expect(await runCommand(...args.filter(Boolean))).toEqual({
      code: 0,
      out: `${version}\n`,
      err: '',
      origin: undefined,
    });
  });

  test('takes global options before and after the verb', async () => {
    const config = await writeConfig('');
    const before = await runCommand('--config', config, 'plan', '--dc', 'xx');
    const after = await runCommand('plan', '--dc', 'xx', '--config', config);
    expect(before.err).toContain('[unknown_data_center]');
    expect(after.err).toBe(before.err);
  });

  test.each([
    ['0', 'invalid_config'],
    ['1000000000', 'invalid_config'],
  ])('rejects the batch size %s', async (size, code) => {
    const ran = await runCommand('status', '--config', await writeConfig(`rollout: { batchSize: ${size} }`));
    expect(ran.code).toBe(1);
    expect(ran.err).toContain(`[${code}]`);
    expect(ran.err).toContain('next: ');
  });

  test('names a worker without a queue, and one with an unknown data center, at once', async () => {
    const config = await writeConfig('');
    expect((await runCommand('worker', '--config', config)).err).toContain('[queue_required]');
    expect((await runCommand('worker', '--dc', 'xx', '--config', config)).err).toContain('[unknown_data_center]');
  });

  test.each(['9464', 'localhost:9464', '127.0.0.1', '127.0.0.1:65536', '1.2.3:80', '[127.0.0.1]:80', 'x://y'])(
    'rejects the address %s to listen on, with an example of one',
    async (address) => {
      const { code, err } = await runCommand('scheduler', '--listen', address);
      expect([code, err]).toEqual([1, expect.stringContaining('[invalid_argument]')]);
      expect(err.replace(/\s+/gu, ' ')).toContain('for example 127.0.0.1:9464');
    },
  );

  test('reports that a database is down, without a stack trace', async () => {
    const { code, err } = await runCommand('status', '--config', await writeConfig(''));
    expect(code).toBe(1);
    expect(err).toContain('[database_unreachable]');
    expect(err).not.toContain('    at ');
  });

  test('names no way back from a freeze that froze nothing', async () => {
    const config = await writeConfig('');
    const { code, out } = await runCommand('freeze', '--config', config);
    expect(code).toBe(1);
    expect(out).toContain('failed [database_unreachable]');
    expect(out).not.toContain('unfreeze');
    expect(JSON.parse((await runCommand('freeze', '--json', '--config', config)).out).next).toBeNull();
  });

  test('shows the stack trace with --debug', async () => {
    const { err } = await runCommand('status', '--debug', '--config', await writeConfig(''));
    expect(err).toContain('    at ');
  });
});
