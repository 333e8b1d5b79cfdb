// The order of a run: what takes longest comes first, so that no worker is left alone with a long file at the end.
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { weighFile } from './weigh-file.js';

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const weights = new Map(files.map(({ moduleId }) => [moduleId, weighFile(moduleId)]));
    return files.toSorted((a, b) => (weights.get(b.moduleId) ?? 0) - (weights.get(a.moduleId) ?? 0));
  }
}
