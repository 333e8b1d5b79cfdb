// The alert rules that users copy: promtool reads them, they name metrics and labels that exist, and each one fires and
// ends as it says.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { METRIC_NAMES, METRIC_PREFIX, METRICS, sample } from '../../src/domain/metrics/metric.js';
import { createMetricsText } from '../../src/http/render-metrics.js';
import { promtoolAvailable } from '../support/promtool.js';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const FILE = fileURLToPath(new URL('../../docs/reference/alerts.yaml', import.meta.url));
const rules: readonly Rule[] = parse(readFileSync(FILE, 'utf8')).groups.flatMap(
  (group: { rules: Rule[] }) => group.rules,
);

describe('the alert rules', () => {
  test('are seven, and each names a command', () => {
    expect(rules).toHaveLength(7);
    for (const { annotations } of rules) expect(annotations.command).toMatch(/^credit-rollout [a-z]+/u);
  });

  test.each(rules.map((rule) => [rule.alert, rule] as const))('%s reads metrics and labels that exist', (_, rule) => {
    const named = [...rule.expr.matchAll(/credit_rollout_([a-z_]+)/gu)].map(([, name]) => name);
    expect(METRIC_NAMES).toEqual(expect.arrayContaining(named));
    const known = METRIC_NAMES.filter((name) => named.includes(name)).flatMap((name) => [...METRICS[name].labels]);
    const used = [
      ...[...rule.expr.matchAll(/by \(([^)]*)\)/gu)].flatMap(([, list]) => (list ?? '').split(/,\s*/u)),
      ...[...rule.expr.matchAll(/\{([a-z_]+)=/gu)].map(([, name]) => name),
    ];
    expect(known).toEqual(expect.arrayContaining(used));
    const shown = Object.values(rule.annotations).flatMap((text) => [...text.matchAll(/\$labels\.([a-z_]+)/gu)]);
    expect(used).toEqual(expect.arrayContaining(shown.map(([, name]) => name)));
  });
});

/** What makes each one fire: a series of two replicas, at its first value for ten minutes, then at its second. */
const SERIES: Readonly<Record<string, readonly [series: string, firing: number, calm: number]>> = {
  CreditRolloutControlUnreachable: ['control_reachable', 0, 1],
  CreditRolloutNoScheduler: ['schedulers_alive', 0, 2],
  CreditRolloutDatabaseUnreachable: ['cell_reachable{data_center="eu"', 0, 1],
  CreditRolloutFailed: ['failed{data_center="eu",code="verification_mismatch"', 1, 0],
  CreditRolloutNeedsPerson: ['hold{data_center="eu",code="needs_approval",needs_person="true"', 1, 0],
  CreditRolloutMismatch: ['mismatches{data_center="eu"', 3, 0],
  CreditRolloutNightMissed: ['night_missed{data_center="eu"', 1, 0],
};

describe.skipIf(!promtoolAvailable())('promtool', () => {
  const folder = mkdtempSync(join(tmpdir(), 'alerts-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const promtool = (args: readonly string[], input = '') => {
    const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' });
    return { status, text: stdout + stderr };
  };

  test('accepts the rules', () => {
    const { status, text } = promtool(['check', 'rules', FILE]);
    expect(text).toContain('7 rules found');
    expect(status).toBe(0);
  });

  test('accepts every metric that a process shows', async () => {
    const samples = METRIC_NAMES.map((name) =>
      sample(name, 1, Object.fromEntries(METRICS[name].labels.map((label) => [label, `a "${label}"`]))),
    );
    const text = (await createMetricsText().render(samples))
      .split('\n')
      .filter((line) => line.includes(METRIC_PREFIX))
      .join('\n');
    expect(promtool(['check', 'metrics'], `${text}\n`)).toEqual({ status: 0, text: '' });
  });

  test('sees each rule fire after its time, and end', () => {
    const tests = rules.map(({ alert, labels, annotations }) => {
      const [series, firing, calm] = SERIES[alert] ?? ['', 0, 0];
      const [name, inner] = series.split('{');
      const ofLabels = Object.fromEntries(
        [...(inner ?? '').matchAll(/([a-z_]+)="([^"]*)"/gu)].map(([, k, v]) => [k, v]),
      );
      const shown = (text: string): string =>
        text.replace(/\{\{ \$labels\.([a-z_]+) \}\}/gu, (_, label) => ofLabels[label]);
      const { needs_person: _, ...kept } = ofLabels;
      const one = (instance: string) => ({
        series: `credit_rollout_${name}{${[inner, `instance="${instance}"`].filter(Boolean).join(',')}}`,
        values: `${firing}x10 ${calm}x10`,
      });
      const alive = [{ series: 'credit_rollout_control_reachable{instance="c"}', values: '1x30' }];
      return {
        interval: '1m',
        input_series: [one('a'), one('b'), ...(name === 'control_reachable' ? [] : alive)],
        alert_rule_test: [
          {
            eval_time: '9m',
            alertname: alert,
            exp_alerts: [
              {
                exp_labels: { ...labels, ...kept },
                exp_annotations: {
                  ...annotations,
                  summary: shown(annotations.summary ?? ''),
                  command: shown(annotations.command ?? ''),
                },
              },
            ],
          },
          { eval_time: '15m', alertname: alert, exp_alerts: [] },
        ],
      };
    });
    const path = join(folder, 'tests.yaml');
    writeFileSync(path, stringify({ rule_files: [FILE], evaluation_interval: '1m', tests }));
    const { status, text } = promtool(['test', 'rules', path]);
    expect(text).toContain('SUCCESS');
    expect(status).toBe(0);
  });
});

test('docs/how-to/monitor.md lists every metric with its labels and its meaning', () => {
  const page = readFileSync(fileURLToPath(new URL('../../docs/how-to/monitor.md', import.meta.url)), 'utf8');
  const rows = [...page.matchAll(/^\| `([a-z_]+)` +\| (.*?) +\| (.*?) +\|$/gmu)].map(([, ...cells]) =>
    cells.map((cell) => cell.trim()),
  );
  expect(rows).toEqual(
    METRIC_NAMES.map((name) => {
      const { labels, help } = METRICS[name];
      return [name, labels.map((label) => `\`${label}\``).join(', '), help];
    }),
  );
});
