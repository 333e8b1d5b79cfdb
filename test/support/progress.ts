// How far a run is, beside Vitest's own reporter: files done, time so far, time left, and the slowest files at the end.
import { relative } from 'node:path';
import type { Reporter, TestModule, TestSpecification, Vitest } from 'vitest/node';
import { type ExpectedDuration, expectDuration } from './expect-duration.js';
import { estimateTimeLeft, type TimedFile, type TimeLeft } from './time-left.js';

const EVERY_MS = 10_000;
const SLOWEST = 10;

export class Progress implements Reporter {
  private vitest: Vitest | undefined;
  private began = 0;
  private shown = 0;
  private readonly waiting = new Map<string, ExpectedDuration>();
  private readonly begun = new Map<string, ExpectedDuration & { readonly at: number }>();
  private readonly finished: TimedFile[] = [];

  onInit(vitest: Vitest): void {
    this.vitest = vitest;
  }

  onTestRunStart(files: readonly TestSpecification[]): void {
    this.began = performance.now();
    this.shown = this.began;
    this.finished.length = 0;
    for (const file of files) if (this.vitest) this.waiting.set(file.moduleId, expectDuration(this.vitest, file));
  }

  onTestModuleQueued({ moduleId }: TestModule): void {
    const expected = this.waiting.get(moduleId);
    this.waiting.delete(moduleId);
    if (expected) this.begun.set(moduleId, { ...expected, at: performance.now() });
  }

  onTestModuleEnd({ moduleId }: TestModule): void {
    const file = this.begun.get(moduleId);
    this.begun.delete(moduleId);
    const now = performance.now();
    if (file) this.finished.push({ expected: file.ms, ranMs: now - file.at });
    const open = this.waiting.size + this.begun.size;
    if (now - this.shown < EVERY_MS || open === 0) return;
    this.shown = now;
    const elapsed = `${formatTime(now - this.began)} so far`;
    print(
      `   ${this.finished.length} of ${this.finished.length + open} files, ${elapsed}${describeLeft(this.estimate(now))}`,
    );
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    if (modules.length <= SLOWEST) return;
    const timed = modules.map((module) => ({ module, ms: timeOf(module) })).sort((a, b) => b.ms - a.ms);
    const lines = timed
      .slice(0, SLOWEST)
      .map(({ module, ms }) => `${(ms / 1_000).toFixed(1).padStart(8)} s  ${nameOf(module)}`);
    print(`\nThe slowest files:\n${lines.join('\n')}`);
  }

  private estimate(now: number): TimeLeft | undefined {
    const open = [...this.begun.values(), ...this.waiting.values()];
    const unfinished = [
      ...[...this.begun.values()].map(({ ms, at }) => ({ expected: ms, ranMs: now - at })),
      ...[...this.waiting.values()].map(({ ms }) => ({ expected: ms, ranMs: 0 })),
    ];
    const basis = open.some(({ source }) => source === 'text') ? 'guesses' : 'durations';
    return estimateTimeLeft(this.finished, unfinished, this.vitest?.config.maxWorkers ?? 1, basis);
  }
}

/** As in `, about 4 to 7 minutes left`. */
function describeLeft(left: TimeLeft | undefined): string {
  if (left === undefined) return '';
  const [from, to] = [left.fromMs, left.toMs].map((ms) => Math.ceil(ms / 60_000));
  const range = from === to ? `${to} minute${to === 1 ? '' : 's'}` : `${from} to ${to} minutes`;
  return `, about ${range} left`;
}

function formatTime(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

function timeOf(module: TestModule): number {
  const { duration, collectDuration } = module.diagnostic();
  return duration + collectDuration;
}

const nameOf = ({ moduleId, project }: TestModule): string => relative(project.config.root, moduleId);
const print = (text: string): void => void process.stdout.write(`${text}\n`);
