// The package as a gateway gets it: what `npm pack` carries, installed into an empty folder, used from JavaScript and
// from TypeScript.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureBuilt } from '../../scripts/docs/project-copy.js';
import { projectPath } from '../docs/read-document.js';

const run = promisify(execFile);
const compile = (cwd: string, ...args: readonly string[]) =>
  run(process.execPath, [projectPath('node_modules/typescript/bin/tsc'), ...args], { cwd });

let folder = '';
/** An empty folder with the package in its node_modules, and what that depends on. */
let user = '';
let packed: readonly string[] = [];
type Manifest = Readonly<Record<string, unknown>> & { readonly dependencies: Readonly<Record<string, string>> };
let manifest: Manifest;
let restored = false;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-pack-'));
  const project = join(folder, 'project');
  user = join(folder, 'user');
  const installed = join(user, 'node_modules', 'credit-rollout');
  await Promise.all([project, installed].map((path) => mkdir(path, { recursive: true })));
  const { replaceManifest, restoreManifest } = (await import(projectPath('scripts/pack.mjs'))) as {
    readonly replaceManifest: (root: string) => void;
    readonly restoreManifest: (root: string) => void;
  };
  const ours = await readFile(projectPath('package.json'), 'utf8');
  await writeFile(join(project, 'package.json'), ours);
  replaceManifest(project);
  manifest = JSON.parse(await readFile(join(project, 'package.json'), 'utf8'));
  for (const name of ['README.md', 'LICENSE', 'CHANGELOG.md', 'src', 'test/metering'])
    await cp(projectPath(name), join(project, name), { recursive: true });
  await cp(join(await ensureBuilt(), 'library'), join(project, 'dist', 'library'), { recursive: true });
  const env = { ...process.env, npm_config_cache: join(folder, 'cache') };
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--offline'], { cwd: project, env });
  const [{ filename, files }] = JSON.parse(stdout);
  restoreManifest(project);
  restored = (await readFile(join(project, 'package.json'), 'utf8')) === ours;
  packed = files.map(({ path }: { readonly path: string }) => path).toSorted();
  await run('tar', ['-xzf', join(project, filename), '-C', installed, '--strip-components=1']);
  // as `npm install` would, from the packages of the project: only what the package asks for
  for (const name of Object.keys(manifest.dependencies))
    await symlink(projectPath(`node_modules/${name}`), join(user, 'node_modules', name));
  await writeFile(join(user, 'package.json'), '{ "type": "module" }');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const GATEWAY = `
const { costs } = parseRateCard('name: c\\ncosts: { list: { credits: 3 } }\\n' + CARD);
const meter = createMeter({
  zone: 'Asia/Kolkata',
  costs,
  store: createMemoryMeterStore(() => Date.now()),
  readCapacity: async (ids) => new Map(ids.map((id) => [id, { model: 'credits', capacity: 4n, concurrency: 1 }])),
});
const first = await meter.acquire({ orgId: '7', kind: 'list' });
first.release(200);
const second = await meter.acquire({ orgId: '7', kind: 'list' });
console.log(first.allowed, first.headers['X-Rate-Limit-Remaining-v3'], second.allowed, second.body?.code);
await meter.close();
`;
const CARD = `const CARD = \`
unpaid: free
lightAgentsCountAsUsers: true
editions:
  free: { credits: { base: 5000, perAgent: 0 }, concurrency: 5, legacy: { flat: 5000 } }
cases:
  - { org: { edition: free, agents: 1 }, expect: { total_credits: 5000 } }
\`;
`;
const IMPORT = `import { createMemoryMeterStore, createMeter, parseRateCard } from 'credit-rollout/meter';\n`;

describe('the package', () => {
  test('carries the library, its types, README and licence, and nothing else', () => {
    const texts = ['LICENSE', 'README.md', 'package.json'];
    const others = packed.filter((path) => !path.startsWith('dist/library/src/'));
    expect(others.filter((path) => !texts.includes(path))).toEqual([]);
    expect(packed).toContain('dist/library/src/meter/index.d.ts');
    expect(packed.filter((path) => /test|cell|control|engine|cli|migrations/u.test(path))).toEqual([]);
    const folders = packed.map((path) => /^dist\/library\/src\/(.+)\/[^/]+$/u.exec(path)?.[1] ?? '');
    expect([...new Set(folders)].filter((path) => path !== '').toSorted()).toEqual([
      ...['domain/meter', 'domain/rate-card', 'domain/source', 'domain/time', 'domain/yaml'],
      ...['kernel', 'meter', 'stores/meter'],
    ]);
    expect(packed.length).toBeLessThan(120);
    expect(Object.keys(manifest)).not.toContain('bin');
    expect(restored).toBe(true);
  });

  test('works from JavaScript in an empty folder', async () => {
    await writeFile(join(user, 'gateway.js'), IMPORT + CARD + GATEWAY);
    const { stdout, stderr } = await run(process.execPath, ['gateway.js'], { cwd: user });
    expect([stdout, stderr]).toEqual(['true 1 false THRESHOLD_EXCEEDED\n', '']);
  });

  test('has types for TypeScript', async () => {
    const typed = `${IMPORT}import type { Admission, CellLimits } from 'credit-rollout/meter';\n${CARD}
const limits = (): CellLimits => ({ model: 'credits', capacity: 4n, concurrency: 1 });
${GATEWAY.replace("{ model: 'credits', capacity: 4n, concurrency: 1 }", 'limits()').replaceAll('[id, limits()]', '[id, limits()] as const')}
export const left = (admission: Admission): number | null | undefined => admission.body?.left;
// @ts-expect-error: a number is no org id
await meter.acquire({ orgId: 7, kind: 'list' });
`;
    await writeFile(join(user, 'gateway.ts'), typed);
    await mkdir(join(user, 'node_modules', '@types'), { recursive: true });
    await symlink(projectPath('node_modules/@types/node'), join(user, 'node_modules', '@types', 'node'));
    await symlink(projectPath('node_modules/undici-types'), join(user, 'node_modules', 'undici-types'));
    const options = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
    const { stdout } = await compile(user, ...options, 'gateway.ts');
    expect(stdout).toBe('');
  });
});
