// How long a test file is likely to take: as long as in the last run on this machine, whose times Vitest keeps, or else
// what its text lets one guess. The order of a run and its progress go by it, and nothing else may.
import { relative } from 'node:path';
import type { TestSpecification, Vitest } from 'vitest/node';
import { weighFile } from './weigh-file.js';

export interface ExpectedDuration {
  readonly ms: number;
  readonly source: 'last run' | 'text';
}

export function expectDuration(
  { cache, config }: Pick<Vitest, 'cache' | 'config'>,
  { moduleId, project }: Pick<TestSpecification, 'moduleId' | 'project'>,
): ExpectedDuration {
  const last = cache.getFileTestResults(`${project.name}:${relative(config.root, moduleId)}`)?.duration;
  return last === undefined || last === 0
    ? { ms: weighFile(moduleId) * 1_000, source: 'text' }
    : { ms: last, source: 'last run' };
}
