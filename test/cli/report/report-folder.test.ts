// The folder of --out on a real file system: whole or not at all.
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { explainDisk } from '../../../src/cli/report/explain-disk.js';
import { openReportFolder } from '../../../src/cli/report/report-folder.js';
import type { PlanReport } from '../../../src/domain/plan/plan-report.js';
import { samplePlan } from './sample-plan.js';

let base: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'credit-rollout-test-'));
});
afterEach(() => rm(base, { recursive: true, force: true }));

const csv = (text = 'org_id\n1\n'): Readable => Readable.from([Buffer.from(text)], { objectMode: false });
const plans = [samplePlan()];

/** Where the files are made before they are renamed. */
async function findStaging(folder: string): Promise<string> {
  const [name = ''] = (await readdir(folder)).filter((entry) => entry.startsWith('.'));
  return join(folder, name);
}

/** A report without a list of orgs, at once. */
async function writeReport(dir: string, reports: readonly PlanReport[]): Promise<readonly string[]> {
  const folder = await openReportFolder(dir);
  return folder.publish(reports).finally(folder.discard);
}

describe('openReportFolder', () => {
  test('shows nothing before everything is there, then every file', async () => {
    const target = join(base, 'a', 'b');
    const folder = await openReportFolder(target);
    await folder.saveOrgs(csv(), 'plain');
    expect(await readdir(join(base, 'a'))).toEqual([expect.stringMatching(/^\.credit-rollout-report-/u)]);
    const paths = await folder.publish(plans);
    expect(paths).toEqual(['orgs.csv', 'report.html', 'report.json'].map((name) => join(target, name)));
    expect(await readdir(join(base, 'a'))).toEqual(['b']);
    expect(await readFile(join(target, 'orgs.csv'), 'utf8')).toBe('org_id\n1\n');
    expect(await readFile(join(target, 'report.html'), 'utf8')).toContain('</html>');
  });

  test('keeps the files for their owner', async () => {
    const folder = await openReportFolder(join(base, 'out'));
    await folder.saveOrgs(csv(), 'plain');
    for (const path of await folder.publish(plans)) expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test('packs the list when it is asked to', async () => {
    const folder = await openReportFolder(join(base, 'out'));
    await folder.saveOrgs(csv('x'.repeat(100_000)), 'gzip');
    const [path = ''] = await folder.publish(plans);
    expect(gunzipSync(await readFile(path)).toString()).toBe('x'.repeat(100_000));
  });

  test('leaves nothing when it is discarded, the folders above included', async () => {
    const folder = await openReportFolder(join(base, 'a', 'b', 'c'));
    await folder.saveOrgs(csv(), 'plain');
    await folder.discard();
    expect(await readdir(base)).toEqual([]);
  });

  test('does nothing when it is discarded after it was published', async () => {
    const folder = await openReportFolder(join(base, 'out'));
    await folder.publish(plans);
    await folder.discard();
    expect(await readdir(join(base, 'out'))).toEqual(['report.html', 'report.json']);
  });

  test('replaces an older report, and the list that it no longer has', async () => {
    const target = join(base, 'out');
    const first = await openReportFolder(target);
    await first.saveOrgs(csv(), 'plain');
    await first.publish(plans);
    const second = await openReportFolder(target);
    await second.saveOrgs(csv('new'), 'gzip');
    expect(await readFile(join(target, 'orgs.csv'), 'utf8')).toBe('org_id\n1\n');
    await second.publish([samplePlan({ planId: 'in-8' })]);
    expect(await readdir(target)).toEqual(['orgs.csv.gz', 'report.html', 'report.json']);
    expect(JSON.parse(await readFile(join(target, 'report.json'), 'utf8')).plans[0].plan_id).toBe('in-8');
  });

  test('keeps the list of the same plan, which cannot be made again', async () => {
    const target = join(base, 'out');
    const first = await openReportFolder(target);
    await first.saveOrgs(csv(), 'plain');
    await first.publish(plans);
    expect(await writeReport(target, plans)).toEqual(['report.html', 'report.json'].map((name) => join(target, name)));
    expect(await readFile(join(target, 'orgs.csv'), 'utf8')).toBe('org_id\n1\n');
    const packed = await openReportFolder(target);
    await packed.saveOrgs(csv(), 'gzip');
    await packed.publish(plans);
    expect(await readdir(target)).toEqual(['orgs.csv.gz', 'report.html', 'report.json']);
  });

  test.each([
    ['another plan', [samplePlan({ planId: 'in-8' })]],
    ['another digest', [samplePlan({ digest: 'f'.repeat(64) })]],
    ['a what-if', [samplePlan({ planId: null, digest: null })]],
    ['several plans', [samplePlan(), samplePlan({ dataCenter: 'eu', planId: 'eu-2' })]],
  ])('keeps no list beside the report of %s', async (_, reports) => {
    const target = join(base, 'out');
    const first = await openReportFolder(target);
    await first.saveOrgs(csv(), 'plain');
    await first.publish(plans);
    await writeReport(target, reports);
    expect(await readdir(target)).toEqual(['report.html', 'report.json']);
  });

  test('leaves an older report as it was when it is discarded', async () => {
    const target = join(base, 'out');
    await writeReport(target, plans);
    const folder = await openReportFolder(target);
    await folder.saveOrgs(csv(), 'plain');
    await folder.discard();
    expect(await readdir(target)).toEqual(['report.html', 'report.json']);
  });

  test('takes an empty folder, and what a killed command left hidden', async () => {
    await mkdir(join(base, '.credit-rollout-report-abc'));
    await writeReport(base, plans);
    expect(await readdir(base)).toEqual(['.credit-rollout-report-abc', 'report.html', 'report.json']);
  });

  test.each([
    ['a file of somebody', { 'notes.txt': '' }],
    ['a report and a file of somebody', { 'report.json': '{"kind":"credit-rollout plan report"}', 'notes.txt': '' }],
    ['a report of another program', { 'report.json': '{"kind":"coverage"}' }],
    ['a file that is no JSON', { 'report.json': '…' }],
    ['a list without a report', { 'orgs.csv': '' }],
  ])('rejects a folder with %s, and leaves it alone', async (_, files) => {
    for (const [name, text] of Object.entries(files)) await writeFile(join(base, name), text);
    await expect(openReportFolder(base)).rejects.toMatchObject({
      code: 'out_not_empty',
      message: expect.stringContaining(base),
    });
    expect(await readdir(base)).toEqual(Object.keys(files).toSorted());
  });

  test('rejects a path through a file', async () => {
    await writeFile(join(base, 'file'), '');
    await expect(openReportFolder(join(base, 'file'))).rejects.toMatchObject({ code: 'out_unwritable' });
    await expect(openReportFolder(join(base, 'file', 'out'))).rejects.toMatchObject({
      code: 'out_unwritable',
      message: expect.stringContaining('a part of the path is a file'),
    });
    expect(await readdir(base)).toEqual(['file']);
  });

  test.skipIf(process.platform !== 'linux')(
    'rejects a folder below a file system that takes none, at once',
    async () => {
      await expect(openReportFolder('/proc/nope/report')).rejects.toMatchObject({ code: 'out_unwritable' });
    },
  );

  test('leaves nothing when the disk is full while orgs are written', async () => {
    const folder = await openReportFolder(join(base, 'out'));
    await symlink('/dev/full', join(await findStaging(base), 'orgs.csv'));
    await expect(folder.saveOrgs(csv(), 'plain')).rejects.toMatchObject({
      code: 'out_unwritable',
      message: expect.stringMatching(/out": the disk is full \(ENOSPC\)/u),
      next: expect.stringContaining('Free some space'),
    });
    expect(await readdir(base)).toEqual([]);
  });

  test('leaves nothing when the disk is full at the last file', async () => {
    const folder = await openReportFolder(join(base, 'out'));
    await folder.saveOrgs(csv(), 'gzip');
    await symlink('/dev/full', join(await findStaging(base), 'report.json'));
    await expect(folder.publish(plans)).rejects.toMatchObject({ code: 'out_unwritable' });
    expect(await readdir(base)).toEqual([]);
  });

  test('passes on what the database threw, and takes the list again', async () => {
    const folder = await openReportFolder(join(base, 'out'));
    const failing = new Readable({ read: () => failing.destroy(new Error('terminated')) });
    await expect(folder.saveOrgs(failing, 'plain')).rejects.toThrow('terminated');
    await folder.saveOrgs(csv('again'), 'plain');
    const [path = ''] = await folder.publish(plans);
    expect(await readFile(path, 'utf8')).toBe('again');
  });

  test('never puts a list of orgs beside several data centers', async () => {
    const folder = await openReportFolder(join(base, 'out'));
    await folder.saveOrgs(csv(), 'plain');
    await expect(folder.publish([...plans, samplePlan({ dataCenter: 'eu' })])).rejects.toThrow('lists no orgs');
    await folder.discard();
    expect(await readdir(base)).toEqual([]);
  });
});

describe('the documents', () => {
  test('names no org when there are several data centers', async () => {
    await writeReport(join(base, 'out'), [...plans, samplePlan({ dataCenter: 'eu', planId: 'eu-2' })]);
    for (const name of ['report.html', 'report.json'])
      expect(await readFile(join(base, 'out', name), 'utf8')).not.toMatch(/org-(raised|near|short)/u);
  });

  test('writes documents of a known schema', async () => {
    await writeReport(join(base, 'out'), plans);
    const document = JSON.parse(await readFile(join(base, 'out', 'report.json'), 'utf8'));
    expect(document).toMatchObject({ kind: 'credit-rollout plan report', schema: 1, plans: [{ plan_id: 'in-7' }] });
    expect(document.plans[0].biggest_raises).toHaveLength(1);
  });
});

describe('explainDisk', () => {
  test('leaves a database that cannot be reached to others', () => {
    const error = Object.assign(new Error('no socket'), { code: 'ENOENT', syscall: 'connect' });
    expect(explainDisk(error, 'out')).toBe(error);
  });
});
