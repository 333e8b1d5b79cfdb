// The order of a run: what takes longest comes first, so that no worker is left alone with a long file at the end.
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { expectDuration } from './expect-duration.js';

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const durations = new Map(files.map((file) => [file.moduleId, expectDuration(this.ctx, file).ms]));
    return files.toSorted((a, b) => (durations.get(b.moduleId) ?? 0) - (durations.get(a.moduleId) ?? 0));
  }
}
