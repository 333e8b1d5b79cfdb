// What a command says of a configuration, a rate card or a URL that cannot be used: a code, the key or the file, and
// nothing of what is in it.
import { execFile } from 'node:child_process';
import { chmod, chown, lchown, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { rootAvailable } from '../../support/skipped-suites.js';
import { type RanCommand, runCommand } from '../captured-io.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-files-'));
});
afterAll(() => rm(folder, { recursive: true }));

const write = async (name: string, text: string): Promise<string> => {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
};

interface Written {
  readonly control?: string;
  readonly cell?: string;
  readonly queue?: string;
  readonly card?: string;
}

async function run(written: Written, ...args: readonly string[]): Promise<RanCommand> {
  const { control = 'postgres://127.0.0.1:1/x', cell = 'postgres://127.0.0.1:1/y', queue = control } = written;
  const card = written.card ?? resolve('src/sample/rate-card.yaml');
  const config = await write(
    'rollout.config.yaml',
    `controlDatabase: "${control}"\nqueue: "${queue}"\nrateCard: ${card}\ndataCenters:\n  - { id: in, zone: UTC, database: "${cell}", source: a.b }\n`,
  );
  return runCommand(...args, '--config', config);
}

const BAD = 'postgres://app:SECRET@db:99999/SECRET';

describe('a URL with a bad port', () => {
  test.each([
    [{ control: BAD, queue: 'redis://127.0.0.1:1' }, ['status'], 'controlDatabase'],
    [{ cell: BAD }, ['freeze'], 'dataCenters.in.database'],
    [{ cell: BAD }, ['verify', '--all'], 'dataCenters.in.database'],
    [{ queue: 'redis://:SECRET@h:99999' }, ['worker'], 'queue'],
    [{ control: BAD, cell: BAD, queue: 'redis://:SECRET@h:99999' }, ['doctor'], 'controlDatabase'],
  ])('of %j is named by its key in %j', async (written, args, key) => {
    for (const more of [[], ['--json'], ['--debug']]) {
      const { code, out, err } = await run(written, ...args, ...more);
      expect(code).toBe(1);
      expect(out + err).toContain(`${key} is no URL`);
      expect(out + err).toContain('invalid_config');
      expect(out + err).not.toMatch(/SECRET|99999|\[internal\]|"internal"|TypeError/u);
    }
  });
});

describe('a file', () => {
  test('that is no rate card shows nothing of itself', async () => {
    const card = await write('shadow', 'root:SECRET:20000:0:99999:7:::\ndaemon:*:20000:0:99999:7:::\n');
    for (const args of [['rate-card', 'check', card], ['rate-card', 'check'], ['init']]) {
      const { code, out, err } = await run({ card }, ...args);
      expect(code).toBe(1);
      expect(err).toContain(
        'error [invalid_rate_card] Line 1 of the rate card has nothing of a rate card: it looks like another file',
      );
      expect(out + err).not.toMatch(/SECRET|root|daemon/u);
    }
  });

  test('that is no configuration shows nothing of itself', async () => {
    const { code, err } = await runCommand(
      'status',
      '--config',
      await write('other', 'password: SECRET\nuser: root\n'),
    );
    expect(code).toBe(1);
    expect(err).toContain('error [unknown_config_key] Line 1 of the configuration has nothing of a configuration');
    expect(err).not.toMatch(/SECRET|root|password:/u);
  });

  test.each(['/dev/zero', 'large'])('of more than a megabyte is not read: %s', async (name) => {
    const path = name === 'large' ? await write(name, 'ü'.repeat(600_000)) : name;
    const config = await runCommand('status', '--config', path);
    expect(config.err).toContain(`error [config_syntax] The configuration ${path} has more than 1,000,000 bytes.`);
    const card = await runCommand('rate-card', 'check', path);
    expect(card.err).toContain(`error [invalid_rate_card] The rate card ${path} has more than 1,000,000 bytes.`);
  });

  test('that is a folder, or not there, cannot be read', async () => {
    for (const path of [folder, join(folder, 'gone')])
      expect((await runCommand('status', '--config', path)).err).toContain('error [config_not_found]');
  });
});

describe('a configuration that nobody named', () => {
  const CONFIG = 'rollout.config.yaml';
  const here = process.cwd();
  afterEach(() => process.chdir(here));

  /** In a folder of its own, with a file that this makes. */
  async function statusIn(make: (path: string) => Promise<unknown>, ...args: readonly string[]): Promise<RanCommand> {
    const place = await mkdtemp(join(folder, 'place-'));
    await make(join(place, CONFIG));
    process.chdir(place);
    return runCommand('status', ...args);
  }
  const save = async (path: string, mode = 0o644): Promise<void> => {
    await writeFile(
      path,
      'controlDatabase: postgres://127.0.0.1:1/x\nrateCard: x\ndataCenters:\n  - { id: in, zone: UTC, database: "postgres://127.0.0.1:1/y", source: a.b }\n',
    );
    await chmod(path, mode);
  };
  const saveAs = async (path: string, uid: number): Promise<void> => {
    await save(path);
    await chown(path, uid, 12_345);
  };

  test('is used where nobody else could have put it there', async () => {
    expect((await statusIn((path) => save(path, 0o600))).err).toContain('[database_unreachable]');
  });

  test('is not used where everybody may write it, and is once it is named', async () => {
    const open = (path: string): Promise<void> => save(path, 0o666);
    const { code, err } = await statusIn(open);
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(
        /\[config_unsafe\] .*\/rollout\.config\.yaml is not used: it can be written by every user\./u,
      ),
    ]);
    expect((await statusIn(open, '--config', CONFIG)).err).toContain('[database_unreachable]');
  });

  test('is not waited for where it is a FIFO', async () => {
    const fifo = (path: string): Promise<unknown> => promisify(execFile)('mkfifo', [path]);
    expect((await statusIn(fifo)).err).toContain('[config_unsafe]');
  });

  test('lends its trust to no rate card that another could have put there', async () => {
    const place = await mkdtemp(join(folder, 'place-'));
    await save(join(place, CONFIG));
    process.chdir(place);
    const card = join(place, 'x');
    await writeFile(card, await readFile(join(here, 'src/sample/rate-card.yaml')));
    expect((await runCommand('rate-card', 'check')).code).toBe(0);
    await chmod(card, 0o666);
    expect((await runCommand('rate-card', 'check')).err).toMatch(
      /\[config_unsafe\] .*\/x is not used: it can be written by every user\./u,
    );
    for (const named of [
      ['rate-card', 'check', card],
      ['rate-card', 'check', '--config', CONFIG],
    ])
      expect((await runCommand(...named)).code).toBe(0);
    await rm(card);
    await promisify(execFile)('mkfifo', [card]);
    expect((await runCommand('rate-card', 'check')).err).toContain('it is no file');
  });

  test.skipIf(!rootAvailable())('is not used where it is, or comes through a link, of another user', async () => {
    expect((await statusIn((path) => saveAs(path, 12_345))).err).toContain('it belongs to another user');
    const link = async (path: string): Promise<void> => {
      await save(`${path}.real`);
      await symlink(`${path}.real`, path);
      await lchown(path, 12_345, 12_345);
    };
    expect((await statusIn(link)).err).toContain('it belongs to another user');
    const byGroup = async (path: string): Promise<void> => {
      await saveAs(path, 0);
      await chmod(path, 0o664);
    };
    expect((await statusIn(byGroup)).err).toContain('it can be written by its group');
  });
});
