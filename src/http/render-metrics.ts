// Samples as Prometheus reads them, and beside them those of this process: memory, CPU, event loop.
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { METRIC_NAMES, METRIC_PREFIX, METRICS, type Sample } from '../domain/metrics/metric.js';

export interface MetricsText {
  readonly contentType: string;
  render(samples: readonly Sample[]): Promise<string>;
}

export function createMetricsText(): MetricsText {
  const ofProcess = new Registry();
  collectDefaultMetrics({ register: ofProcess });
  return {
    contentType: ofProcess.contentType,
    render: async (samples) => `${await renderSamples(samples)}${await ofProcess.metrics()}`,
  };
}

/** In a registry of their own each time: what is not known any more has no sample. */
async function renderSamples(samples: readonly Sample[]): Promise<string> {
  const registry = new Registry();
  for (const name of METRIC_NAMES) {
    const found = samples.filter((one) => one.name === name);
    if (found.length === 0) continue;
    const { help, labels } = METRICS[name];
    const gauge = new Gauge({ name: METRIC_PREFIX + name, help, labelNames: [...labels], registers: [registry] });
    for (const one of found) gauge.set(one.labels, one.value);
  }
  return registry.metrics();
}
